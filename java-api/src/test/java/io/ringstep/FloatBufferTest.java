package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Buffers of every kind give what arrays give, and their positions and limits stay. */
class FloatBufferTest {
  /** Small buffers are copied, large ones read in place. */
  private static final int[] ROW_COUNTS = {2, 300};

  private static final Network NETWORK = Network.of(3, 5, 2).withActivation(Activation.TANH);

  /** Kinds of buffers; every one holds more than what lies between its position and limit. */
  enum Kind {
    HEAP {
      @Override
      FloatBuffer allocate(int capacity) {
        return FloatBuffer.allocate(capacity);
      }
    },
    HEAP_SLICE {
      @Override
      FloatBuffer allocate(int capacity) {
        return FloatBuffer.allocate(capacity + 5).position(3).slice();
      }
    },
    DIRECT {
      @Override
      FloatBuffer allocate(int capacity) {
        return direct(capacity, ByteOrder.nativeOrder());
      }
    },
    DIRECT_SLICE {
      @Override
      FloatBuffer allocate(int capacity) {
        return direct(capacity + 5, ByteOrder.nativeOrder()).position(3).slice();
      }
    },
    /** Not a multiple of four bytes from the start of its memory. */
    DIRECT_UNALIGNED {
      @Override
      FloatBuffer allocate(int capacity) {
        ByteBuffer bytes = ByteBuffer.allocateDirect(4 * capacity + 4).position(1).slice();
        return bytes.order(ByteOrder.nativeOrder()).asFloatBuffer();
      }
    },
    BIG_ENDIAN {
      @Override
      FloatBuffer allocate(int capacity) {
        return direct(capacity, ByteOrder.BIG_ENDIAN);
      }
    },
    LITTLE_ENDIAN {
      @Override
      FloatBuffer allocate(int capacity) {
        return direct(capacity, ByteOrder.LITTLE_ENDIAN);
      }
    };

    abstract FloatBuffer allocate(int capacity);

    /** {@code values} between position and limit, with other values around. */
    FloatBuffer holding(float[] values) {
      FloatBuffer buffer = allocate(values.length + 7);
      for (int i = 0; i < buffer.capacity(); i++) {
        buffer.put(i, Float.NaN);
      }
      buffer.put(2, values);
      return buffer.position(2).limit(2 + values.length);
    }

    private static FloatBuffer direct(int capacity, ByteOrder order) {
      return ByteBuffer.allocateDirect(4 * capacity).order(order).asFloatBuffer();
    }
  }

  @ParameterizedTest
  @EnumSource
  void stepsHaveTheBitsOfArrays(Kind kind) {
    for (int count : ROW_COUNTS) {
      Rows rows = Rows.random(1, count, NETWORK);
      FloatBuffer x = kind.holding(rows.x());
      FloatBuffer y = kind.holding(rows.y());

      assertStepsAgree(rows, x, y);
      assertStepsAgree(rows, x.asReadOnlyBuffer(), y.asReadOnlyBuffer());
      assertUntouched(rows.x(), x);
      assertUntouched(rows.y(), y);
    }
  }

  @ParameterizedTest
  @CsvSource({"HEAP, DIRECT", "DIRECT, HEAP", "DIRECT, BIG_ENDIAN", "BIG_ENDIAN, DIRECT"})
  void kindsMayBeMixed(Kind xKind, Kind yKind) {
    for (int count : ROW_COUNTS) {
      Rows rows = Rows.random(1, count, NETWORK);
      assertStepsAgree(rows, xKind.holding(rows.x()), yKind.holding(rows.y()));
    }
  }

  private static void assertStepsAgree(Rows rows, FloatBuffer x, FloatBuffer y) {
    try (Trainer arrays = Trainer.of(NETWORK, new Sgd(0.1));
        Trainer buffers = Trainer.of(NETWORK, new Sgd(0.1))) {
      arrays.step(rows.x(), rows.y());
      buffers.step(x, y);
      Bits.assertSame(arrays.parameters(), buffers.parameters(), rows.count() + " rows");
    }
  }

  @ParameterizedTest
  @EnumSource
  void predictionsHaveTheBitsOfArrays(Kind kind) {
    for (int count : ROW_COUNTS) {
      Rows rows = Rows.random(2, count, NETWORK);
      try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.1))) {
        FloatBuffer x = kind.holding(rows.x());
        FloatBuffer y = kind.holding(new float[rows.y().length]);
        trainer.predict(x, y);

        assertUntouched(rows.x(), x);
        assertUntouched(trainer.predict(rows.x()), y);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void predictionsIntoAReadOnlyBufferAreRefused(Kind kind) {
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.1))) {
      for (int count : ROW_COUNTS) {
        FloatBuffer x = kind.holding(new float[count * NETWORK.inputs()]);
        FloatBuffer y = kind.holding(new float[count * NETWORK.outputs()]);
        var e =
            assertThrows(IllegalArgumentException.class, () -> trainer.predict(x, y.asReadOnlyBuffer()));
        assertEquals("y is read-only", e.getMessage());
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void datasetsHaveTheBitsOfArrays(Kind kind) {
    Rows rows = Rows.random(3, 9, NETWORK);
    FloatBuffer x = kind.holding(rows.x());
    FloatBuffer y = kind.holding(rows.y());
    try (Dataset data = Dataset.of(x, y, 3, 2)) {
      Bits.assertSame(rows.x(), Rows.of(data).x(), "x");
      Bits.assertSame(rows.y(), Rows.of(data).y(), "y");
      assertUntouched(rows.x(), x);
      assertUntouched(rows.y(), y);
    }
  }

  /** The copies that arrays pass through grow, and hold nothing of a larger batch before. */
  @ParameterizedTest
  @ValueSource(ints = {1, 30, 3000, 2})
  void arraysOfAnySizeMayFollowEachOther(int rows) {
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0));
        Trainer fresh = Trainer.of(NETWORK, new Sgd(0))) {
      trainer.predict(Rows.random(4, 100, NETWORK).x());
      float[] x = Rows.random(5, rows, NETWORK).x();
      Bits.assertSame(fresh.predict(x), trainer.predict(x), "predictions");
    }
  }

  /** Position and limit are where {@link Kind#holding} left them, and all values too. */
  private static void assertUntouched(float[] expected, FloatBuffer buffer) {
    assertEquals(2, buffer.position());
    assertEquals(2 + expected.length, buffer.limit());
    float[] all = new float[expected.length + 7];
    Arrays.fill(all, Float.NaN);
    System.arraycopy(expected, 0, all, 2, expected.length);
    float[] actual = new float[all.length];
    buffer.duplicate().clear().get(0, actual);
    Bits.assertSame(all, actual, "the whole buffer");
  }
}
