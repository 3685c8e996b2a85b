"""ThreadLocal beside its peers: bench/core, bench/jvm."""
from report.model import Goal, Program, Row, Section, Table

FORMS = (("pointer", "/pointer"), ("increment", "/increment"), ("chain", "/chain"))
LIFE = "/variables:10000/threads:64"

JDK = "jdk"
PEERS = (("folly::ThreadLocal", "Folly", "folly"), ("Boost thread_specific_ptr", "Boost", "boost"),
         ("TBB enumerable_thread_specific", "Tbb", "tbb"),
         ("TBB, key per instance", "TbbKeyPerInstance", "tbb"),
         ("pthread_getspecific", "Pthread", "glibc"), ("ThreadLocal of", "Jvm", JDK))


def peers(suffix, names=None):
    return tuple(Row(label, prefix + suffix, version) for label, prefix, version in PEERS
                 if names is None or prefix in names)


def faster_than_peers(family, text):
    return tuple(Goal(f"{text}, {form}, against the fastest peer", f"ThreadLocal_{family}{suffix}",
                      at_most=1.0,
                      over=tuple(f"{prefix}_{family}{suffix}" for _, prefix, _ in PEERS))
                 for form, suffix in FORMS)


ACCESS = Table(
    title="Access",
    note="""*pointer*: the address only. *increment*: `++` through it. *chain*: each access's address
depends on the last one's result. The variable is not known at compile time.""",
    columns=FORMS, baseline="Native_Get",
    rows=(Row("native thread_local", "Native_Get"), Row("carrel::ThreadLocal", "ThreadLocal_Get"),
          Row("carrel::RequestLocal", "RequestLocal_Get"), *peers("_Get"),
          Row("mutex and hash map", "MutexMap_Get"),
          Row("TBB concurrent_hash_map", "ConcurrentMap_Get", "tbb")))

SHARED = Table(
    title="Access through a shared library",
    note="The same loops, compiled with `-fPIC` into a library: global-dynamic thread storage.",
    columns=FORMS, baseline="NativeShared_Get",
    rows=(Row("native extern thread_local", "NativeShared_Get"),
          Row("carrel::ThreadLocal", "ThreadLocalShared_Get")))

ROTATING_16 = Table(
    title="Sixteen variables in turn", columns=FORMS,
    note="The thread holds all of them. Reading which is next is part of every figure.",
    rows=(Row("carrel::ThreadLocal", "ThreadLocal_Get_Rotating16"), *peers("_Get_Rotating16")))

ROTATING_1000 = Table(
    title="A thousand variables in random order", columns=FORMS,
    rows=(Row("carrel::ThreadLocal", "ThreadLocal_Get_Rotating1000"),
          *peers("_Get_Rotating1000", ("Folly", "Boost", "Tbb"))))

CHANGE = Table(
    title="Setting, inserting and removing",
    note="With two threads, both insert and remove the value of one and the same variable.",
    columns=(("set a present value", "_Set"), ("insert + remove", "_InsertRemove/threads:1"),
             ("with two threads", "_InsertRemove/threads:2")),
    rows=(Row("native thread_local", "Native"), Row("carrel::ThreadLocal", "ThreadLocal"),
          *peers("", ("Folly", "Boost", "Pthread", "Jvm"))))

CONTENDED = Table(
    title="What thread-locals replace", columns=(("alone", ""), ("with two threads", "/threads:2")),
    note="Counting in a value that is the thread's own, or in one that all share.",
    baseline="Native_Get/increment",
    rows=(Row("native thread_local", "Native_Get/increment"),
          Row("carrel::ThreadLocal", "ThreadLocal_Get/increment"),
          Row("mutex and hash map", "MutexMap_Get/increment"),
          Row("TBB concurrent_hash_map", "ConcurrentMap_Get/increment", "tbb"),
          Row("one atomic counter", "Atomic_Add")))

OTHERS = (("none alive", "/variables:0/threads:1"),
          ("10,000 alive", "/variables:10000/threads:1"),
          ("10,000 alive, held by 64 threads", LIFE))

CREATE = Table(
    title="Creating and destroying a variable", columns=OTHERS,
    note="While other variables are alive, and other threads hold eight of them each.",
    rows=(Row("carrel::ThreadLocal", "ThreadLocal_CreateDestroy"),
          *peers("_CreateDestroy", ("Folly", "Boost", "Tbb"))))

CREATE_SET = Table(
    title="Creating a variable, one value, destroying both", columns=OTHERS,
    rows=(Row("carrel::ThreadLocal", "ThreadLocal_CreateSetDestroy"),
          *peers("_CreateSetDestroy", ("Folly", "Boost", "Tbb"))))

EXIT = Table(
    title="The end of a thread that holds eight values",
    note="""From the thread's last statement to its last destructor. "Nothing" is a thread without
values: what the clock and the thread library cost. TBB destroys nothing at a thread's end.""",
    columns=(("100 alive", "/variables:100/threads:1"),
             ("10,000 alive", "/variables:10000/threads:1"),
             ("10,000 alive, held by 64 threads", LIFE)),
    baseline="Native_ThreadExit",
    rows=(Row("native thread_local", "Native_ThreadExit"),
          Row("carrel::ThreadLocal", "ThreadLocal_ThreadExit"),
          *peers("_ThreadExit", ("Folly", "Boost")), Row("nothing", "Nothing_ThreadExit")))

MEMORY = Table(
    title="Resident bytes a thread that holds eight values", unit="bytes",
    note="""Over the same threads when they had only used malloc and their stacks; in the first
generation of threads, and in the eighth after seven have ended (still over the first one's idle
state). "Nothing" is the control: what the allocator and the kernel keep of threads anyway.""",
    columns=(("100 alive, 64 threads", "/variables:100/threads:64#bytes_per_thread_first"),
             ("8th generation", "/variables:100/threads:64#bytes_per_thread"),
             ("10,000 alive, 64 threads", LIFE + "#bytes_per_thread_first"),
             ("8th generation", LIFE + "#bytes_per_thread")),
    rows=(Row("native thread_local", "Native_Memory"),
          Row("carrel::ThreadLocal", "ThreadLocal_Memory"),
          *peers("_Memory", ("Folly", "Boost", "Tbb")), Row("nothing", "Nothing_Memory")))

GOALS = (
    *(Goal(f"get, {form}, against native", f"ThreadLocal_Get{suffix}", at_most,
           over=(f"Native_Get{suffix}",))
      for (form, suffix), at_most in zip(FORMS, (1.25, 2.1, 2.0))),
    *faster_than_peers("Get", "get"),
    *faster_than_peers("Get_Rotating16", "sixteen in turn"),
    *(Goal(f"a thousand in random order, {form}, against folly",
           f"ThreadLocal_Get_Rotating1000{suffix}", 1.4, over=(f"Folly_Get_Rotating1000{suffix}",))
      for form, suffix in FORMS),
    *(Goal(f"through a shared library, {form}, against native",
           f"ThreadLocalShared_Get{suffix}", 2.0, over=(f"NativeShared_Get{suffix}",))
      for form, suffix in FORMS),
    *(Goal(f"RequestLocal::get, {form}, against ThreadLocal", f"RequestLocal_Get{suffix}", 1.5,
           over=(f"ThreadLocal_Get{suffix}",))
      for form, suffix in FORMS),
    Goal("set of a present value, against get (pointer)", "ThreadLocal_Set", 3.0,
         over=("ThreadLocal_Get/pointer",)),
    Goal("insert + remove", "ThreadLocal_InsertRemove/threads:1", 20),
    Goal("insert + remove by two threads, against one", "ThreadLocal_InsertRemove/threads:2", 1.5,
         over=("ThreadLocal_InsertRemove/threads:1",)),
    Goal("create, one value, destroy", "ThreadLocal_CreateSetDestroy/variables:0/threads:1", 45),
    Goal("exit of a thread holding 8 of 10,000, against native", "ThreadLocal_ThreadExit" + LIFE,
         2.0, over=("Native_ThreadExit" + LIFE,)),
    Goal("memory of a thread holding 8 of 10,000",
         f"ThreadLocal_Memory{LIFE}#bytes_per_thread_first", 2048, unit="bytes"),
    Goal("the same after eight generations of threads",
         f"ThreadLocal_Memory{LIFE}#bytes_per_thread", 2048, unit="bytes"),
)

SECTION = Section(
    name="core", title="Thread-locals",
    text="""Made by `core_bench` (bench/core; forms.h says how each figure is kept real) and, for the
JDK, by bench/jvm. Times are processor time. Absolute goals (20 ns, 45 ns) were set on a
3.7 GHz Zen 3 core.""",
    programs=(Program("core_bench", isolated=("_ThreadExit/", "_Memory/", "_CreateDestroy/",
                                              "_CreateSetDestroy/")),
              Program("jvm", java=("ThreadLocalBench",))),
    tables=(ACCESS, SHARED, ROTATING_16, ROTATING_1000, CHANGE, CONTENDED, CREATE, CREATE_SET, EXIT,
            MEMORY),
    goals=GOALS)
