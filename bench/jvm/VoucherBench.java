import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The voucher of bench/db through JDBC and HikariCP: eight threads, eight connections, the driver's
 * own defaults (it prepares on the server from a statement's fifth use, and sends BEGIN along with
 * the first statement). Prints Google Benchmark's JSON.
 *
 * <p>Warms up for as long as the virtual machine needs to compile it, which is longer than what is
 * measured. What it has inserted by then is taken out again.
 */
public final class VoucherBench {
  private static final int CLIENTS = 8;
  private static final String MEMO = "a voucher";

  private final HikariDataSource pool;
  private volatile long until;
  private volatile SQLException failure;
  private final AtomicLong posted = new AtomicLong();

  private VoucherBench(HikariDataSource pool) {
    this.pool = pool;
  }

  private static long balance(Connection connection, long amount, long account)
      throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(
            "update bench.account set balance = balance + ? where id = ? returning balance")) {
      statement.setLong(1, amount);
      statement.setLong(2, account);
      try (ResultSet rows = statement.executeQuery()) {
        rows.next();
        return rows.getLong(1);
      }
    }
  }

  private long post(ThreadLocalRandom random) throws SQLException {
    long id = random.nextLong(1, 9_000_000_000_000_000_000L);
    long giver = random.nextLong(1, 5_001);
    long taker = random.nextLong(5_001, 10_001);
    long amount = random.nextLong(1, 101);
    try (Connection connection = pool.getConnection()) {
      try (PreparedStatement statement =
          connection.prepareStatement("insert into bench.voucher (id, memo) values (?, ?)")) {
        statement.setLong(1, id);
        statement.setString(2, MEMO);
        statement.executeUpdate();
      }
      long sum = balance(connection, -amount, giver) + balance(connection, amount, taker);
      try (PreparedStatement statement =
          connection.prepareStatement(
              "insert into bench.entry (voucher, account, amount) values (?, ?, ?), (?, ?, ?)")) {
        statement.setLong(1, id);
        statement.setLong(2, giver);
        statement.setLong(3, -amount);
        statement.setLong(4, id);
        statement.setLong(5, taker);
        statement.setLong(6, amount);
        statement.executeUpdate();
      }
      connection.commit();
      return sum;
    }
  }

  private void client(CountDownLatch end) {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    long mine = 0;
    try {
      do {
        post(random);
        ++mine;
      } while (System.nanoTime() < until);
    } catch (SQLException thrown) {
      failure = thrown;
    }
    posted.addAndGet(mine);
    end.countDown();
  }

  /** Nanoseconds a voucher, all clients together. */
  private double run(long milliseconds) throws InterruptedException, SQLException {
    CountDownLatch end = new CountDownLatch(CLIENTS);
    posted.set(0);
    long begin = System.nanoTime();
    until = begin + milliseconds * 1_000_000;
    for (int i = 0; i < CLIENTS; ++i) {
      new Thread(() -> client(end)).start();
    }
    end.await();
    if (failure != null) {
      throw failure;
    }
    return (double) (System.nanoTime() - begin) / posted.get();
  }

  private static String setting(String name) throws IOException {
    Path settings = Path.of(System.getenv("CARREL_TEST_SERVERS"), "servers.env");
    for (String line : Files.readAllLines(settings)) {
      if (line.startsWith(name + "=")) {
        return line.substring(name.length() + 1);
      }
    }
    throw new IOException("servers.env has no " + name);
  }

  private static void execute(String url, String password, String sql) throws SQLException {
    try (Connection connection = DriverManager.getConnection(url, "postgres", password);
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  private static String argument(String[] arguments, String name) {
    for (String argument : arguments) {
      if (argument.startsWith(name + "=")) {
        return argument.substring(name.length() + 1);
      }
    }
    throw new IllegalArgumentException(name + "=... is missing");
  }

  public static void main(String[] arguments) throws Exception {
    long measured = Long.parseLong(argument(arguments, "--round-ms"));
    long warmUp = Long.parseLong(argument(arguments, "--warm-up-ms"));
    String url =
        "jdbc:postgresql://127.0.0.1:" + setting("POSTGRES_PORT") + "/postgres?sslmode=disable";
    String password = setting("PASSWORD");
    execute(url, password, Files.readString(Path.of(argument(arguments, "--schema"))));
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(url);
    config.setUsername("postgres");
    config.setPassword(password);
    config.setAutoCommit(false);
    config.setMaximumPoolSize(CLIENTS);
    double nanoseconds;
    try (HikariDataSource pool = new HikariDataSource(config)) {
      VoucherBench bench = new VoucherBench(pool);
      bench.run(warmUp);
      execute(url, password, "truncate bench.voucher, bench.entry");
      nanoseconds = bench.run(measured);
    }
    System.out.printf(
        Locale.ROOT,
        "{\"context\": {\"jdbc\": \"%s\"}, \"benchmarks\": [{\"name\":"
            + " \"Voucher_Jdbc/real_time/threads:%d\", \"run_type\": \"iteration\", \"cpu_time\":"
            + " %.1f, \"real_time\": %.1f, \"time_unit\": \"ns\"}]}%n",
        argument(arguments, "--versions"),
        CLIENTS,
        nanoseconds,
        nanoseconds);
  }
}
