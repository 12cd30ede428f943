package io.ringstep.internal;

import java.nio.FloatBuffer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/** Native memory that float arrays pass through. It grows when it must and is freed by hand. */
public final class Staging implements AutoCloseable {
  private Pointer memory;
  private FloatBuffer view;
  private long address;
  private int capacity;

  /** The address of a copy of {@code values}. */
  public long put(float[] values) {
    reserve(values.length);
    view.put(0, values, 0, values.length);
    return address;
  }

  /** The address of a copy of what remains in {@code values}. */
  public long put(FloatBuffer values) {
    reserve(values.remaining());
    view.put(0, values, values.position(), values.remaining());
    return address;
  }

  /** The address of room for {@code count} floats. */
  public long reserve(int count) {
    if (memory == null || count > capacity) {
      close();
      capacity = Math.max(count, 64);
      memory = Native.allocate((long) capacity * Float.BYTES);
      view = new FloatPointer(memory).capacity(capacity).asBuffer();
      address = memory.address();
    }
    return address;
  }

  /** Copies the first {@code values.length} floats out. */
  public void get(float[] values) {
    view.get(0, values, 0, values.length);
  }

  /** Copies floats out to what remains in {@code values}. */
  public void get(FloatBuffer values) {
    values.put(values.position(), view, 0, values.remaining());
  }

  @Override
  public void close() {
    if (memory != null) {
      Pointer.free(memory);
      memory = null;
      view = null;
    }
  }
}
