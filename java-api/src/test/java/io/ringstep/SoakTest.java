package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is done a great many times takes no more memory than what is done once. */
class SoakTest {
  private static final Network NETWORK = Network.of(10, 20, 1);
  private static final Rows ROW = Rows.random(1, 1, NETWORK);
  private static final Rows ROWS = Rows.random(1, 300, NETWORK);

  @TempDir Path folder;

  /** What is done, how often to warm up and then to measure, and how much memory that may take. */
  enum Work {
    STEPS_ON_ARRAYS(100_000, 1_000_000, 64 << 10, 16 << 20) {
      @Override
      void run(int times) {
        try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.001))) {
          for (int i = 0; i < times; i++) {
            trainer.step(ROW.x(), ROW.y());
          }
        }
      }
    },
    STEPS_ON_SMALL_DIRECT_BUFFERS(100_000, 1_000_000, 64 << 10, 16 << 20) {
      @Override
      void run(int times) {
        step(ROW, times);
      }
    },
    STEPS_ON_LARGE_DIRECT_BUFFERS(20_000, 200_000, 64 << 10, 16 << 20) {
      @Override
      void run(int times) {
        step(ROWS, times);
      }
    },
    TRAINERS(1_000, 10_000, Long.MAX_VALUE, 32 << 20) {
      @Override
      void run(int times) {
        for (int i = 0; i < times; i++) {
          try (Trainer trainer = Trainer.of(NETWORK, new Adam(0.001))) {
            trainer.step(ROW.x(), ROW.y());
          }
        }
      }
    },
    DATASETS(1_000, 10_000, Long.MAX_VALUE, 32 << 20) {
      @Override
      void run(int times) {
        for (int i = 0; i < times; i++) {
          Dataset.of(new float[1_000], new float[1_000], 1, 1).close();
        }
      }
    };

    private final int warmUp;
    private final int times;
    private final long heapLimit;
    private final long residentLimit;

    Work(int warmUp, int times, long heapLimit, long residentLimit) {
      this.warmUp = warmUp;
      this.times = times;
      this.heapLimit = heapLimit;
      this.residentLimit = residentLimit;
    }

    abstract void run(int times);

    private static void step(Rows rows, int times) {
      FloatBuffer x = direct(rows.x());
      FloatBuffer y = direct(rows.y());
      try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.001))) {
        for (int i = 0; i < times; i++) {
          trainer.step(x, y);
        }
      }
    }

    private static FloatBuffer direct(float[] values) {
      ByteBuffer bytes = ByteBuffer.allocateDirect(Float.BYTES * values.length);
      return bytes.order(ByteOrder.nativeOrder()).asFloatBuffer().put(values).flip();
    }
  }

  /** In a JVM whose heap is resident from the start: what grows then is not the heap. */
  @ParameterizedTest
  @EnumSource
  void memoryDoesNotGrow(Work work) throws Exception {
    new ChildJvm(folder)
        .options("-Xms64m", "-Xmx64m", "-XX:+AlwaysPreTouch")
        .run(Child.class.getName(), work.name());
  }

  /** The child's program. */
  static final class Child {
    public static void main(String[] args) throws IOException {
      Work work = Work.valueOf(args[0]);
      work.run(work.warmUp);
      long heap = allocatedBytes();
      long resident = residentBytes();

      work.run(work.times);
      long heapGrowth = allocatedBytes() - heap;
      long residentGrowth = residentBytes() - resident;

      assertTrue(heapGrowth < work.heapLimit, () -> heapGrowth + " bytes were allocated on the heap");
      assertTrue(residentGrowth < work.residentLimit, () -> "resident memory grew by " + residentGrowth);
    }

    private static long allocatedBytes() {
      ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      return threads.getThreadAllocatedBytes(Thread.currentThread().getId());
    }

    private static long residentBytes() throws IOException {
      // In pages: size, resident, …
      String[] pages = Files.readString(Path.of("/proc/self/statm")).split(" ");
      return 4096 * Long.parseLong(pages[1]);
    }
  }
}
