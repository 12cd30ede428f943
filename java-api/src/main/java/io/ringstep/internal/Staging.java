package io.ringstep.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.bytedeco.javacpp.Pointer;

/** Native memory that float arrays pass through. It grows when it must. */
public final class Staging {
  private FloatBuffer memory = FloatBuffer.allocate(0);
  private long address;

  /** The address of a copy of {@code values}. */
  public long put(float[] values) {
    reserve(values.length);
    memory.put(0, values, 0, values.length);
    return address;
  }

  /** The address of a copy of what remains in {@code values}. */
  public long put(FloatBuffer values) {
    reserve(values.remaining());
    memory.put(0, values, values.position(), values.remaining());
    return address;
  }

  /** The address of room for {@code count} floats. */
  public long reserve(int count) {
    if (count > memory.capacity() || address == 0) {
      int bytes = Math.multiplyExact(Math.max(count, 64), Float.BYTES);
      memory = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder()).asFloatBuffer();
      address = new Pointer(memory).address();
    }
    return address;
  }

  /** Copies the first {@code values.length} floats out. */
  public void get(float[] values) {
    memory.get(0, values, 0, values.length);
  }

  /** Copies floats out to what remains in {@code values}. */
  public void get(FloatBuffer values) {
    values.put(values.position(), memory, 0, values.remaining());
  }
}
