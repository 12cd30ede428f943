package io.ringstep.internal.files;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * Floats off the heap, as many as come: what a file claims to hold costs nothing until it is read.
 */
final class GrowableFloats {
  /** The most that one direct buffer holds: Java counts its bytes with an int. */
  static final int LARGEST = Integer.MAX_VALUE / Float.BYTES;

  private final Source source;
  private FloatBuffer floats;

  /**
   * @param source named when memory runs out
   * @param capacity how many fit before the first growth
   */
  GrowableFloats(Source source, long capacity) {
    this.source = source;
    this.floats = allocate(source, capacity);
  }

  /** A direct buffer in native byte order, all 0. */
  static FloatBuffer allocate(Source source, long count) {
    if (count > LARGEST) {
      throw source.invalid(
          "holds more than "
              + LARGEST
              + " numbers, the most one table can; split it into several files");
    }
    try {
      int bytes = Math.toIntExact(count * Float.BYTES);
      return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder()).asFloatBuffer();
    } catch (OutOfMemoryError e) {
      throw source.invalid(
          "needs "
              + count * Float.BYTES
              + " bytes outside the Java heap, more than are free;"
              + " raise -XX:MaxDirectMemorySize, or split the file");
    }
  }

  void add(float value) {
    room(1).put(value);
  }

  /** The buffer to append to, with room for {@code count} more. */
  FloatBuffer room(int count) {
    if (floats.remaining() < count) {
      grow((long) floats.position() + count);
    }
    return floats;
  }

  private void grow(long needed) {
    long doubled = Math.min(2L * floats.capacity(), LARGEST);
    FloatBuffer larger = allocate(source, Math.max(needed, doubled));
    floats = larger.put(floats.flip());
  }

  int size() {
    return floats.position();
  }

  /** Everything added so far, as a view. */
  FloatBuffer toBuffer() {
    return floats.slice(0, floats.position());
  }
}
