import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The twin of `carrel lab cost`: counting behind a lock, in an atomic, in a concurrent map, and in a
 * ThreadLocal, as threads grow.
 *
 * <pre>java LabCost.java [most threads]</pre>
 *
 * Time is the processors', of all threads together; medians of rounds. Every loop is a method
 * of its own that is called often, so that it is compiled before it is measured, and adds to objects
 * that escape.
 */
public final class LabCost {
  private static final int ROUNDS = 3;
  private static final int WARM_UP_ROUNDS = 20;
  private static final int BATCH = 1 << 10;
  private static final long ROUND_NANOSECONDS = 15_000_000;

  private static final class Counter {
    long count;
  }

  private interface Loop {
    long run(int accesses);
  }

  private static final ThreadMXBean CLOCK = ManagementFactory.getThreadMXBean();

  // Not `synchronized`, which the compiler holds over several turns of a loop.
  private static final ReentrantLock LOCK = new ReentrantLock();
  private static final Counter LOCKED = new Counter();
  private static final AtomicLong ATOMIC = new AtomicLong();
  private static final ConcurrentHashMap<Thread, Counter> MAP = new ConcurrentHashMap<>();
  private static final ThreadLocal<Counter> VARIABLE = ThreadLocal.withInitial(Counter::new);

  static volatile long sink;

  private static long lock(int accesses) {
    for (int i = 0; i < accesses; ++i) {
      LOCK.lock();
      try {
        ++LOCKED.count;
      } finally {
        LOCK.unlock();
      }
    }
    return LOCKED.count;
  }

  private static long atomic(int accesses) {
    for (int i = 0; i < accesses; ++i) {
      ATOMIC.incrementAndGet();
    }
    return ATOMIC.get();
  }

  private static long map(int accesses) {
    for (int i = 0; i < accesses; ++i) {
      ++MAP.computeIfAbsent(Thread.currentThread(), thread -> new Counter()).count;
    }
    return MAP.size();
  }

  private static long threadLocal(int accesses) {
    for (int i = 0; i < accesses; ++i) {
      ++VARIABLE.get().count;
    }
    return VARIABLE.get().count;
  }

  /** All threads loop at the same time. Nanoseconds of processor time for an access. */
  private static double time(int threads, Loop loop, long roundNanoseconds) throws Exception {
    CyclicBarrier begin = new CyclicBarrier(threads);
    AtomicLong time = new AtomicLong();
    AtomicLong accesses = new AtomicLong();
    Thread[] running = new Thread[threads];
    for (int i = 0; i < threads; ++i) {
      running[i] =
          new Thread(
              () -> {
                try {
                  begin.await();
                } catch (Exception failure) {
                  throw new IllegalStateException(failure);
                }
                long end = System.nanoTime() + roundNanoseconds;
                long started = CLOCK.getCurrentThreadCpuTime();
                long batches = 0;
                do {
                  sink = loop.run(BATCH);
                  ++batches;
                } while (System.nanoTime() < end);
                time.addAndGet(CLOCK.getCurrentThreadCpuTime() - started);
                accesses.addAndGet(batches * BATCH);
              });
      running[i].start();
    }
    for (Thread thread : running) {
      thread.join();
    }
    MAP.clear();
    return (double) time.get() / accesses.get();
  }

  private static double median(int threads, Loop loop) throws Exception {
    double[] measured = new double[ROUNDS];
    for (int round = 0; round < ROUNDS; ++round) {
      measured[round] = time(threads, loop, ROUND_NANOSECONDS);
    }
    Arrays.sort(measured);
    return measured[ROUNDS / 2];
  }

  public static void main(String[] arguments) throws Exception {
    int most = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 64;
    Map<String, Loop> loops = new LinkedHashMap<>();
    loops.put("lock", LabCost::lock);
    loops.put("atomic", LabCost::atomic);
    loops.put("concurrent map", LabCost::map);
    loops.put("ThreadLocal", LabCost::threadLocal);
    for (Map.Entry<String, Loop> entry : loops.entrySet()) {
      for (int round = 0; round < WARM_UP_ROUNDS; ++round) {
        time(1, entry.getValue(), ROUND_NANOSECONDS);
      }
      StringBuilder points = new StringBuilder();
      for (int threads = 1; threads <= most; threads *= 2) {
        double time = median(threads, entry.getValue());
        points.append(
            String.format(Locale.ROOT, "%s[%d,%.3f]", threads == 1 ? "" : ",", threads, time));
        System.out.printf(
            Locale.ROOT,
            "{\"figure\":\"%s, %d\",\"value\":%.3f}%n",
            entry.getKey(),
            threads,
            time);
      }
      System.out.println("{\"series\":\"" + entry.getKey() + "\",\"points\":[" + points + "]}");
    }
  }
}
