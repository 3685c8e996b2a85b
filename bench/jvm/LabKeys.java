import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CyclicBarrier;

/**
 * The twin of `carrel lab keys`: variables die while threads live. With a map of strong keys for
 * each thread, and with the JDK's ThreadLocal, whose keys are weak, untouched and touched again.
 *
 * <pre>java LabKeys.java [threads] [variables] [bytes of a value]</pre>
 *
 * What is held is counted, not estimated: every value has a WeakReference beside it, and after a full
 * collection those that still answer are held by somebody.
 */
public final class LabKeys {
  private static final int STRETCH = 8;
  private static final int LATER_VARIABLES = 4;
  private static final int LATER_BYTES = 64;
  private static final double MIB = 1 << 20;

  /** A variable as the threads see it. */
  private interface Variable {
    void set(byte[] value);
  }

  private interface Maker {
    Variable make();
  }

  /** Threads that live on and work in step. */
  private static final class Crew {
    private final CyclicBarrier begin;
    private final CyclicBarrier end;
    private volatile Runnable task;

    Crew(int threads) {
      begin = new CyclicBarrier(threads + 1);
      end = new CyclicBarrier(threads + 1);
      for (int i = 0; i < threads; ++i) {
        Thread thread = new Thread(this::work);
        thread.setDaemon(true);
        thread.start();
      }
    }

    private void work() {
      try {
        for (; ; ) {
          begin.await();
          Runnable mine = task;
          if (mine == null) {
            return;
          }
          mine.run();
          mine = null;
          end.await();
        }
      } catch (Exception failure) {
        throw new IllegalStateException(failure);
      }
    }

    void each(Runnable work) throws Exception {
      task = work;
      begin.await();
      end.await();
      task = null;
    }

    void end() throws Exception {
      task = null;
      begin.await();
    }
  }

  private static double held(List<WeakReference<byte[]>> values) {
    System.gc();
    long bytes = 0;
    synchronized (values) {
      for (WeakReference<byte[]> reference : values) {
        byte[] value = reference.get();
        bytes += value == null ? 0 : value.length;
      }
    }
    return bytes / MIB;
  }

  private static void giveAll(
      Crew crew, List<Variable> variables, int bytes, List<WeakReference<byte[]>> values)
      throws Exception {
    crew.each(
        () -> {
          for (Variable variable : variables) {
            byte[] value = new byte[bytes];
            synchronized (values) {
              values.add(new WeakReference<>(value));
            }
            variable.set(value);
          }
        });
  }

  private static void run(
      String name, Maker maker, boolean touched, int threads, int count, int bytes)
      throws Exception {
    Crew crew = new Crew(threads);
    List<WeakReference<byte[]>> values = new ArrayList<>();
    List<Double> steps = new ArrayList<>();
    List<Variable> variables = new ArrayList<>();
    for (int i = 0; i < count; ++i) {
      variables.add(maker.make());
    }
    steps.add(0.0);
    giveAll(crew, variables, bytes, values);
    steps.add(held(values));
    for (int step = 0; step < STRETCH; ++step) {
      variables.subList(0, count / STRETCH).clear();
      steps.add(held(values));
    }
    figure(name + ", died", steps.get(steps.size() - 1));
    List<Variable> later = new ArrayList<>();
    for (int step = 0; step < STRETCH; ++step) {
      if (touched) {
        List<Variable> fresh = new ArrayList<>();
        for (int i = 0; i < LATER_VARIABLES; ++i) {
          fresh.add(maker.make());
        }
        giveAll(crew, fresh, LATER_BYTES, values);
        later.addAll(fresh);
      }
      steps.add(held(values));
    }
    figure(name + ", end", steps.get(steps.size() - 1));
    curve(name, steps);
    crew.end();
  }

  private static void figure(String name, double value) {
    System.out.printf(Locale.ROOT, "{\"figure\":\"%s\",\"value\":%.6f}%n", name, value);
  }

  private static void curve(String name, List<Double> steps) {
    StringBuilder points = new StringBuilder();
    for (int i = 0; i < steps.size(); ++i) {
      points.append(String.format(Locale.ROOT, "%s[%d,%.6f]", i == 0 ? "" : ",", i, steps.get(i)));
    }
    System.out.println("{\"series\":\"" + name + "\",\"points\":[" + points + "]}");
  }

  private static Maker strong() {
    ThreadLocal<Map<Object, byte[]>> maps = ThreadLocal.withInitial(IdentityHashMap::new);
    return () ->
        new Variable() {
          @Override
          public void set(byte[] value) {
            maps.get().put(this, value);
          }
        };
  }

  private static Maker weak() {
    return () -> {
      ThreadLocal<byte[]> variable = new ThreadLocal<>();
      return variable::set;
    };
  }

  public static void main(String[] arguments) throws Exception {
    int threads = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 4;
    int variables = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 64;
    int bytes = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 16 << 10;
    run("strong keys", strong(), true, threads, variables, bytes);
    run("weak keys, untouched", weak(), false, threads, variables, bytes);
    run("weak keys, touched again", weak(), true, threads, variables, bytes);
  }
}
