import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Arrays;
import java.util.Locale;

/**
 * The JDK's ThreadLocal, measured as core_bench measures Carrel's. Prints Google Benchmark's JSON.
 *
 * <pre>
 *   javac -d out bench/jvm/ThreadLocalBench.java
 *   java -cp out ThreadLocalBench Jvm_Get/increment --rounds=10 --round-ms=50
 * </pre>
 *
 * One case a run: a fresh virtual machine, so that no case is compiled with another's profile.
 * Plain Java, no JMH; what JMH would take care of is taken care of here:
 * <ul>
 *   <li>Warm-up: as many rounds as are measured run first and are thrown away.
 *   <li>On-stack replacement: the loop is a method of its own, called often, never one endless loop.
 *   <li>Hoisting: the variable of every access is read from an array at a moving index, so the
 *       compiler cannot prove it to be the same one; with one variable all places hold that one.
 *   <li>Dead code: the loops count in the values themselves and return the last value, which goes
 *       to a volatile field.
 * </ul>
 */
public final class ThreadLocalBench {
  private static final int BATCH = 1 << 16;
  private static final int PLACES = 16;

  /** Processor time, as in core_bench: other programs on the machine disturb it least. */
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  /** Written to, so that no result is dead. */
  static volatile long sink;

  private static final class Counter {
    long count;
  }

  private interface Loop {
    long run(ThreadLocal<Counter>[] variables, Counter[] spare);
  }

  private static long increment(ThreadLocal<Counter>[] variables) {
    long last = 0;
    for (int i = 0; i < BATCH; ++i) {
      last = ++variables[i & (PLACES - 1)].get().count;
    }
    return last;
  }

  private static long set(ThreadLocal<Counter>[] variables, Counter[] spare) {
    for (int i = 0; i < BATCH; ++i) {
      variables[i & (PLACES - 1)].set(spare[i & (PLACES - 1)]);
    }
    return variables[0].get().count;
  }

  private static long insertRemove(ThreadLocal<Counter>[] variables, Counter[] spare) {
    for (int i = 0; i < BATCH; ++i) {
      ThreadLocal<Counter> variable = variables[i & (PLACES - 1)];
      variable.set(spare[i & (PLACES - 1)]);
      variable.remove();
    }
    return variables[0].get().count;
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static ThreadLocal<Counter>[] variables(int distinct) {
    ThreadLocal<Counter>[] variables = new ThreadLocal[PLACES];
    for (int i = 0; i < PLACES; ++i) {
      variables[i] = i < distinct ? ThreadLocal.withInitial(Counter::new) : variables[i % distinct];
      variables[i].get();
    }
    return variables;
  }

  private static Counter[] spare() {
    Counter[] spare = new Counter[PLACES];
    Arrays.setAll(spare, i -> new Counter());
    return spare;
  }

  private static double nanosecondsPerAccess(
      Loop loop, ThreadLocal<Counter>[] variables, Counter[] spare, long roundNanoseconds) {
    long accesses = 0;
    long begin = THREADS.getCurrentThreadCpuTime();
    long now = begin;
    while (now - begin < roundNanoseconds) {
      sink = loop.run(variables, spare);
      accesses += BATCH;
      now = THREADS.getCurrentThreadCpuTime();
    }
    return (double) (now - begin) / accesses;
  }

  private static double median(Loop loop, int distinct, int rounds, long roundNanoseconds) {
    ThreadLocal<Counter>[] variables = variables(distinct);
    Counter[] spare = spare();
    for (int round = 0; round < rounds; ++round) {
      nanosecondsPerAccess(loop, variables, spare, roundNanoseconds);
    }
    double[] measured = new double[rounds];
    for (int round = 0; round < rounds; ++round) {
      measured[round] = nanosecondsPerAccess(loop, variables, spare, roundNanoseconds);
    }
    Arrays.sort(measured);
    return measured[rounds / 2];
  }

  private static double measure(String name, int rounds, long roundNanoseconds) {
    switch (name) {
      case "Jvm_Get/increment":
        return median((variables, spare) -> increment(variables), 1, rounds, roundNanoseconds);
      case "Jvm_Get_Rotating16/increment":
        return median((variables, spare) -> increment(variables), 16, rounds, roundNanoseconds);
      case "Jvm_Set":
        return median(ThreadLocalBench::set, 1, rounds, roundNanoseconds);
      case "Jvm_InsertRemove/threads:1":
        return median(ThreadLocalBench::insertRemove, 1, rounds, roundNanoseconds);
      default:
        throw new IllegalArgumentException("no benchmark is named '" + name + "'");
    }
  }

  private static int number(String argument) {
    return Integer.parseInt(argument.substring(argument.indexOf('=') + 1));
  }

  public static void main(String[] arguments) {
    String name = null;
    int rounds = 10;
    int roundMilliseconds = 50;
    for (String argument : arguments) {
      if (argument.startsWith("--rounds=")) {
        rounds = number(argument);
      } else if (argument.startsWith("--round-ms=")) {
        roundMilliseconds = number(argument);
      } else {
        name = argument;
      }
    }
    if (name == null) {
      throw new IllegalArgumentException("usage: ThreadLocalBench NAME [--rounds=N] [--round-ms=N]");
    }
    double nanoseconds = measure(name, rounds, roundMilliseconds * 1_000_000L);
    System.out.printf(
        Locale.ROOT,
        "{\"context\": {\"jdk\": \"%s %s\"}, \"benchmarks\": [{\"name\": \"%s\", "
            + "\"run_type\": \"iteration\", \"cpu_time\": %.4f, \"time_unit\": \"ns\"}]}%n",
        System.getProperty("java.vm.name"),
        System.getProperty("java.version"),
        name,
        nanoseconds);
  }
}
