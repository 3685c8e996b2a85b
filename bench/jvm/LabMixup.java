import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.LongAdder;

/**
 * The twin of `carrel lab mixup`: a marker in a ThreadLocal that is never removed, that is removed
 * after the call, and that is removed in a finally block.
 *
 * <pre>java LabMixup.java [threads] [requests] [seed]</pre>
 *
 * The JDK has no database, so the two tables are counters: what is written is counted by whose it is.
 */
public final class LabMixup {
  private static final int STRETCHES = 20;
  private static final double MERCHANT_SHARE = 0.3;
  private static final double EXCEPTION_SHARE = 0.02;

  private enum Book {
    CONSUMER,
    MERCHANT
  }

  private enum Handling {
    LEFT_BEHIND("never removed"),
    BY_HAND("removed by hand"),
    FINALLY("removed in finally");

    final String title;

    Handling(String title) {
      this.title = title;
    }
  }

  private static final class Mishap extends RuntimeException {
    private static final long serialVersionUID = 1;

    Mishap() {
      super("at random", null, false, false);
    }
  }

  private final ThreadLocal<Book> marker = new ThreadLocal<>();
  private final LongAdder wrongRows = new LongAdder();
  private final Handling handling;

  private LabMixup(Handling handling) {
    this.handling = handling;
  }

  /** Knows nothing of books: the table is whatever the marker says, and the consumers' without one. */
  private void handle(Book owner, double chance) {
    if (chance < EXCEPTION_SHARE / 2) {
      throw new Mishap();
    }
    Book table = marker.get() == null ? Book.CONSUMER : marker.get();
    if (chance < EXCEPTION_SHARE) {
      throw new Mishap(); // after the row, which is rolled back
    }
    if (table != owner) {
      wrongRows.increment();
    }
  }

  private void enter(Book owner, double chance) {
    if (owner == Book.MERCHANT) {
      marker.set(owner);
    }
    if (handling == Handling.FINALLY) {
      try {
        handle(owner, chance);
      } finally {
        marker.remove();
      }
      return;
    }
    handle(owner, chance);
    if (handling == Handling.BY_HAND) {
      marker.remove();
    }
  }

  private void serve(Book owner, double chance) {
    try {
      enter(owner, chance);
    } catch (Mishap survived) {
      // Like any server's pool, it survives its handlers.
    }
  }

  private void run(int threads, long requests, long seed) throws Exception {
    SplittableRandom random = new SplittableRandom(seed);
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    List<String> points = new ArrayList<>(List.of("[0,0]"));
    long served = 0;
    for (int stretch = 1; stretch <= STRETCHES; ++stretch) {
      long end = requests * stretch / STRETCHES;
      CountDownLatch done = new CountDownLatch((int) (end - served));
      for (; served < end; ++served) {
        Book owner = random.nextDouble() < MERCHANT_SHARE ? Book.MERCHANT : Book.CONSUMER;
        double chance = random.nextDouble();
        pool.execute(
            () -> {
              serve(owner, chance);
              done.countDown();
            });
      }
      done.await();
      points.add("[" + served / 1000.0 + "," + wrongRows.sum() + "]");
    }
    pool.shutdown();
    System.out.println(
        "{\"figure\":\"" + handling.title + "\",\"value\":" + wrongRows.sum() + "}");
    System.out.println(
        "{\"series\":\"" + handling.title + "\",\"points\":[" + String.join(",", points) + "]}");
  }

  public static void main(String[] arguments) throws Exception {
    int threads = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 4;
    long requests = arguments.length > 1 ? Long.parseLong(arguments[1]) : 100_000;
    long seed = arguments.length > 2 ? Long.parseLong(arguments[2]) : 1;
    for (Handling handling : Handling.values()) {
      new LabMixup(handling).run(threads, requests, seed);
    }
  }
}
