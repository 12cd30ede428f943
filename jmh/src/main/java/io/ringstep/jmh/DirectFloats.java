package io.ringstep.jmh;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/** Direct buffers in native byte order: those that Ringstep reads in place. */
final class DirectFloats {
  private DirectFloats() {}

  static FloatBuffer of(float[] values) {
    return empty(values.length).put(values).flip();
  }

  static FloatBuffer empty(int length) {
    return ByteBuffer.allocateDirect(length * Float.BYTES).order(ByteOrder.nativeOrder()).asFloatBuffer();
  }
}
