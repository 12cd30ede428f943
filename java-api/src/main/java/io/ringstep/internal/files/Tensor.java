package io.ringstep.internal.files;

import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * A named array of float32.
 *
 * @param name its name in the file; empty where the file gives none
 * @param shape the length of every dimension; empty for a scalar
 * @param data the elements in row-major order, direct and in native byte order; every call of
 *     {@link #data()} gives a view with a position of its own
 * @param type how a file has, or is to have, the elements
 */
public record Tensor(String name, long[] shape, FloatBuffer data, ElementType type) {
  public Tensor {
    shape = shape.clone();
    if (!data.isDirect() || data.order() != ByteOrder.nativeOrder()) {
      throw new IllegalArgumentException("data must be a direct buffer in native byte order");
    }
    if (elementCount(shape) != data.remaining()) {
      throw new IllegalArgumentException(
          "shape " + Arrays.toString(shape) + " does not fit " + data.remaining() + " elements");
    }
    data = data.slice();
  }

  /** In files as float32. */
  public Tensor(String name, long[] shape, FloatBuffer data) {
    this(name, shape, data, ElementType.F32);
  }

  @Override
  public long[] shape() {
    return shape.clone();
  }

  @Override
  public FloatBuffer data() {
    return data.duplicate();
  }

  /** Number of elements. */
  public long elementCount() {
    return data.capacity();
  }

  /**
   * Number of elements of an array of this shape.
   *
   * @throws ArithmeticException if it exceeds a long
   */
  static long elementCount(long[] shape) {
    return Arrays.stream(shape).reduce(1, Math::multiplyExact);
  }
}
