import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.logging.Logger;
import javax.sql.DataSource;

/**
 * HikariCP's borrow and return, over connections that do nothing: the twin of Pool_BorrowReturn.
 * Prints Google Benchmark's JSON; the time is that of the clock on the wall divided by all threads'
 * borrows, as there.
 *
 * <pre>java -cp ... HikariBench Hikari_BorrowReturn/threads:8 --rounds=10 --round-ms=50</pre>
 */
public final class HikariBench {
  private static final int CONNECTIONS = 8;
  private static final int BATCH = 256;

  /** Opens connections at once, as a driver without a server would. */
  private static final class StubSource implements DataSource {
    @Override
    public Connection getConnection() {
      return new StubConnection();
    }

    @Override
    public Connection getConnection(String user, String password) {
      return new StubConnection();
    }

    @Override
    public PrintWriter getLogWriter() {
      return null;
    }

    @Override
    public void setLogWriter(PrintWriter out) {}

    @Override
    public void setLoginTimeout(int seconds) {}

    @Override
    public int getLoginTimeout() {
      return 0;
    }

    @Override
    public Logger getParentLogger() {
      return Logger.getGlobal();
    }

    @Override
    public <T> T unwrap(Class<T> type) {
      return type.cast(this);
    }

    @Override
    public boolean isWrapperFor(Class<?> type) {
      return type.isInstance(this);
    }
  }

  /** One of the pool's threads: borrows until the time is over, and counts. */
  private static void borrow(HikariDataSource pool, long until, AtomicLong borrowed)
      throws SQLException {
    long mine = 0;
    do {
      for (int i = 0; i < BATCH; ++i) {
        pool.getConnection().close();
      }
      mine += BATCH;
    } while (System.nanoTime() < until);
    borrowed.addAndGet(mine);
  }

  private static double nanosecondsPerBorrow(HikariDataSource pool, int threads, long milliseconds)
      throws InterruptedException {
    AtomicLong borrowed = new AtomicLong();
    CountDownLatch end = new CountDownLatch(threads);
    long begin = System.nanoTime();
    long until = begin + milliseconds * 1_000_000;
    for (int i = 0; i < threads; ++i) {
      new Thread(
              () -> {
                try {
                  borrow(pool, until, borrowed);
                } catch (SQLException thrown) {
                  throw new IllegalStateException(thrown);
                } finally {
                  end.countDown();
                }
              })
          .start();
    }
    end.await();
    return (double) (System.nanoTime() - begin) / borrowed.get();
  }

  private static int number(String argument) {
    return Integer.parseInt(argument.substring(argument.indexOf('=') + 1));
  }

  /** The cases; bench/report/run.py reads their names here. */
  private static int threadsOf(String name) {
    switch (name) {
      case "Hikari_BorrowReturn/threads:1":
        return 1;
      case "Hikari_BorrowReturn/threads:2":
        return 2;
      case "Hikari_BorrowReturn/threads:8":
        return 8;
      case "Hikari_BorrowReturn/threads:32":
        return 32;
      default:
        throw new IllegalArgumentException("no benchmark is named '" + name + "'");
    }
  }

  public static void main(String[] arguments) throws InterruptedException {
    String name = arguments[0];
    int rounds = 10;
    int roundMilliseconds = 50;
    String versions = "";
    for (String argument : arguments) {
      if (argument.startsWith("--rounds=")) {
        rounds = number(argument);
      } else if (argument.startsWith("--round-ms=")) {
        roundMilliseconds = number(argument);
      } else if (argument.startsWith("--versions=")) {
        versions = argument.substring(argument.indexOf('=') + 1);
      }
    }
    HikariConfig config = new HikariConfig();
    config.setDataSource(new StubSource());
    config.setMaximumPoolSize(CONNECTIONS);
    config.setMinimumIdle(CONNECTIONS);
    double[] measured = new double[rounds];
    try (HikariDataSource pool = new HikariDataSource(config)) {
      for (int round = 0; round < rounds; ++round) {
        nanosecondsPerBorrow(pool, threadsOf(name), roundMilliseconds);
      }
      for (int round = 0; round < rounds; ++round) {
        measured[round] = nanosecondsPerBorrow(pool, threadsOf(name), roundMilliseconds);
      }
    }
    Arrays.sort(measured);
    System.out.printf(
        Locale.ROOT,
        "{\"context\": {\"hikari\": \"%s\"}, \"benchmarks\": [{\"name\": \"%s\", \"run_type\":"
            + " \"iteration\", \"cpu_time\": %.4f, \"time_unit\": \"ns\"}]}%n",
        versions,
        name,
        measured[rounds / 2]);
  }
}
