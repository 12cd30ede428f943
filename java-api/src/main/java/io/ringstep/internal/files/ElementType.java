package io.ringstep.internal.files;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/** How a file encodes a number, and its conversion to and from float32. */
public enum ElementType {
  F16(2) {
    @Override
    float next(ByteBuffer in) {
      return HalfFloat.toFloat(in.getShort());
    }

    @Override
    void put(float value, ByteBuffer out) {
      out.putShort(HalfFloat.fromFloat(value));
    }
  },
  BF16(2) {
    @Override
    float next(ByteBuffer in) {
      return BrainFloat.toFloat(in.getShort());
    }

    @Override
    void put(float value, ByteBuffer out) {
      out.putShort(BrainFloat.fromFloat(value));
    }
  },
  F32(4) {
    @Override
    float next(ByteBuffer in) {
      return in.getFloat();
    }

    @Override
    void put(float value, ByteBuffer out) {
      out.putFloat(value);
    }

    @Override
    void decode(ByteBuffer in, FloatBuffer out) {
      out.put(in.asFloatBuffer());
      in.position(in.limit());
    }
  },
  F64(8) {
    @Override
    float next(ByteBuffer in) {
      double value = in.getDouble();
      float rounded = (float) value;
      if (Float.isInfinite(rounded) && Double.isFinite(value)) {
        throw new ArithmeticException(Double.toString(value));
      }
      return rounded;
    }
  },
  I8(1) {
    @Override
    float next(ByteBuffer in) {
      return in.get();
    }

    @Override
    void put(float value, ByteBuffer out) {
      out.put((byte) value);
    }
  },
  I16(2) {
    @Override
    float next(ByteBuffer in) {
      return in.getShort();
    }
  },
  I32(4) {
    @Override
    float next(ByteBuffer in) {
      return in.getInt();
    }
  },
  I64(8) {
    @Override
    float next(ByteBuffer in) {
      return in.getLong();
    }
  },
  U8(1) {
    @Override
    float next(ByteBuffer in) {
      return Byte.toUnsignedInt(in.get());
    }
  },
  U16(2) {
    @Override
    float next(ByteBuffer in) {
      return Short.toUnsignedInt(in.getShort());
    }
  },
  U32(4) {
    @Override
    float next(ByteBuffer in) {
      return Integer.toUnsignedLong(in.getInt());
    }
  },
  U64(8) {
    @Override
    float next(ByteBuffer in) {
      return unsignedToFloat(in.getLong());
    }
  },
  BOOL(1) {
    @Override
    float next(ByteBuffer in) {
      return in.get() == 0 ? 0 : 1;
    }
  };

  private static final int CHUNK_BYTES = 1 << 16;

  private final int size;

  ElementType(int size) {
    this.size = size;
  }

  /** Bytes of one element. */
  int size() {
    return size;
  }

  /**
   * Converts the next element.
   *
   * @throws ArithmeticException if it is beyond float32's range; the message is the value
   */
  abstract float next(ByteBuffer in);

  /**
   * Appends a value in this type: rounded to the nearest, ties to even, for floating point.
   *
   * @throws UnsupportedOperationException for a type that is only read
   */
  void put(float value, ByteBuffer out) {
    throw new UnsupportedOperationException(this + " is only read");
  }

  /** Converts all of {@code in}. */
  void decode(ByteBuffer in, FloatBuffer out) {
    while (in.hasRemaining()) {
      out.put(next(in));
    }
  }

  /** Appends {@code count} elements of a stream to {@code out}. */
  void read(InputStream in, ByteOrder order, long count, GrowableFloats out, Source source)
      throws IOException {
    byte[] bytes = new byte[(int) Math.min(CHUNK_BYTES, count * size)];
    for (long left = count * size; left > 0; ) {
      int wanted = (int) Math.min(bytes.length, left);
      int got = in.readNBytes(bytes, 0, wanted);
      if (got < wanted) {
        throw source.truncated(left - got);
      }
      try {
        decode(ByteBuffer.wrap(bytes, 0, got).order(order), out.room(got / size));
      } catch (ArithmeticException e) {
        throw source.invalid(
            "has an element beyond the range of float32: number "
                + (out.size() + 1)
                + " is "
                + e.getMessage()
                + "; scale the data");
      }
      left -= got;
    }
  }

  /** Writes all of {@code floats} in this type, little-endian. */
  void write(FloatBuffer floats, OutputStream out) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(CHUNK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    while (floats.hasRemaining()) {
      bytes.clear();
      while (bytes.hasRemaining() && floats.hasRemaining()) {
        put(floats.get(), bytes);
      }
      out.write(bytes.array(), 0, bytes.position());
    }
  }

  /**
   * Halves what a signed long cannot hold; the lowest bit stays sticky, so rounding is unchanged.
   */
  private static float unsignedToFloat(long bits) {
    return bits >= 0 ? bits : (float) (bits >>> 1 | bits & 1) * 2;
  }
}
