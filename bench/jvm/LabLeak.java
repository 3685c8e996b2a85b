import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * The twin of `carrel lab leak`: what tasks leave in a ThreadLocal on the threads of a pool.
 *
 * <pre>java LabLeak.java [threads] [rounds] [bytes of a block] [milliseconds from round to round]</pre>
 *
 * Held memory is the heap in use after a full collection, above the level before the first task.
 */
public final class LabLeak {
  private static final double MIB = 1 << 20;
  private static final ThreadLocal<byte[]> VARIABLE = new ThreadLocal<>();

  private static volatile byte[] dropped;

  private final int threads;
  private final int rounds;
  private final long pace;

  private LabLeak(int threads, int rounds, long pace) {
    this.threads = threads;
    this.rounds = rounds;
    this.pace = pace;
  }

  private static double heapInUse() {
    System.gc();
    Runtime runtime = Runtime.getRuntime();
    return (runtime.totalMemory() - runtime.freeMemory()) / MIB;
  }

  /** The load grows: one task in the first round, from half-time on one for each thread. */
  private int tasksInRound(int round) {
    return Math.min(threads, 1 + (round - 1) * 2 * threads / rounds);
  }

  /** Runs the task on so many threads; all threads are inside before any goes on. */
  private void runOnThreads(ExecutorService pool, int count, Runnable task) throws Exception {
    CountDownLatch inside = new CountDownLatch(threads);
    CountDownLatch done = new CountDownLatch(threads);
    for (int i = 0; i < threads; ++i) {
      boolean busy = i < count;
      pool.execute(
          () -> {
            try {
              inside.countDown();
              inside.await();
              if (busy) {
                task.run();
              }
              done.countDown();
            } catch (InterruptedException stopped) {
              Thread.currentThread().interrupt();
            }
          });
    }
    done.await();
  }

  private void run(String name, Runnable task) throws Exception {
    measure(name, task).forEach(System.out::println);
  }

  private List<String> measure(String name, Runnable task) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    runOnThreads(pool, 0, task);
    heapInUse();
    double before = heapInUse();
    long started = System.nanoTime();
    List<String> points = new ArrayList<>(List.of("[0,0]"));
    double held = 0;
    for (int round = 1; round <= rounds; ++round) {
      runOnThreads(pool, tasksInRound(round), task);
      held = heapInUse() - before;
      double seconds = (System.nanoTime() - started) / 1e9;
      points.add(String.format(Locale.ROOT, "[%.4f,%.4f]", seconds, held));
      long ahead = round * pace - (System.nanoTime() - started) / 1_000_000;
      if (ahead > 0) {
        Thread.sleep(ahead);
      }
    }
    pool.shutdown();
    return List.of(
        String.format(Locale.ROOT, "{\"figure\":\"%s\",\"value\":%.4f}", name, held),
        "{\"series\":\"" + name + "\",\"points\":[" + String.join(",", points) + "]}");
  }

  public static void main(String[] arguments) throws Exception {
    int threads = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 5;
    int rounds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 40;
    int bytes = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 5 << 20;
    long pace = arguments.length > 3 ? Long.parseLong(arguments[3]) : 10;
    LabLeak lab = new LabLeak(threads, rounds, pace);
    // Not counted: the first rounds load classes, and let go of what the source's compiler held.
    lab.measure("warm-up", () -> {});
    lab.run("1", () -> {});
    lab.run("2", () -> {
      dropped = new byte[bytes];
      dropped = null;
    });
    lab.run("3, ThreadLocal", () -> VARIABLE.set(new byte[bytes]));
  }
}
