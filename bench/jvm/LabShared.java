import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/**
 * The twin of `carrel lab shared`: a ThreadLocal whose initial value is one shared object. Compiles
 * without a word, and every thread reads the sum of all.
 *
 * <pre>java LabShared.java [threads]</pre>
 */
public final class LabShared {
  private static final int START = 100;

  private static int[] read(int threads, Supplier<AtomicInteger> initial) throws Exception {
    ThreadLocal<AtomicInteger> sum = ThreadLocal.withInitial(initial);
    int[] read = new int[threads];
    CyclicBarrier allHaveAdded = new CyclicBarrier(threads);
    Thread[] running = new Thread[threads];
    for (int i = 0; i < threads; ++i) {
      int n = i + 1;
      running[i] =
          new Thread(
              () -> {
                try {
                  sum.get().addAndGet(n);
                  allHaveAdded.await();
                  read[n - 1] = sum.get().get();
                } catch (Exception failure) {
                  throw new IllegalStateException(failure);
                }
              });
      running[i].start();
    }
    for (Thread thread : running) {
      thread.join();
    }
    return read;
  }

  private static void print(String name, int[] read) {
    StringBuilder points = new StringBuilder();
    for (int i = 0; i < read.length; ++i) {
      points.append(i == 0 ? "" : ",").append("[").append(i + 1).append(",").append(read[i]).append("]");
      System.out.println("{\"figure\":\"" + name + " " + (i + 1) + "\",\"value\":" + read[i] + "}");
    }
    System.out.println("{\"series\":\"" + name + "\",\"points\":[" + points + "]}");
  }

  public static void main(String[] arguments) throws Exception {
    int threads = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 5;
    AtomicInteger theOne = new AtomicInteger(START);
    print("shared", read(threads, () -> theOne));
    print("fresh", read(threads, () -> new AtomicInteger(START)));
  }
}
