package io.ringstep.internal.files;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/**
 * A {@code .npy} file: {@code \x93NUMPY}, two bytes of version, the header's length, the header,
 * then the elements.
 */
public final class NpyFile {
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
  private static final int PREAMBLE = MAGIC.length + 2;
  private static final int ALIGNMENT = 64;

  /** Plain arrays need about 100 bytes; version 1 cannot say more than this. */
  private static final long LARGEST_HEADER = 0xffff;

  private static final Map<String, ElementType> TYPES =
      Map.ofEntries(
          Map.entry("f2", ElementType.F16),
          Map.entry("f4", ElementType.F32),
          Map.entry("f8", ElementType.F64),
          Map.entry("i1", ElementType.I8),
          Map.entry("i2", ElementType.I16),
          Map.entry("i4", ElementType.I32),
          Map.entry("i8", ElementType.I64),
          Map.entry("u1", ElementType.U8),
          Map.entry("u2", ElementType.U16),
          Map.entry("u4", ElementType.U32),
          Map.entry("u8", ElementType.U64),
          Map.entry("b1", ElementType.BOOL));

  private NpyFile() {}

  /**
   * Reads an array of any number type as float32, in row-major order. Its name is empty.
   *
   * @throws io.ringstep.InvalidDataException if the file is missing or malformed
   */
  public static Tensor read(Path file) {
    Source source = new Source(file);
    try (FileChannel channel = source.openRegular()) {
      return read(Channels.newInputStream(channel), channel.size(), Long.MAX_VALUE, "", source);
    } catch (IOException e) {
      throw source.unreadable(e);
    }
  }

  /**
   * Reads an array from a stream.
   *
   * @param size how many bytes the stream is said to have
   * @param believed how many elements get memory before they have been read: where {@code size} may
   *     be a lie, a small number
   */
  static Tensor read(InputStream in, long size, long believed, String name, Source source)
      throws IOException {
    byte[] preamble = in.readNBytes(PREAMBLE);
    if (preamble.length < PREAMBLE
        || !Arrays.equals(MAGIC, Arrays.copyOf(preamble, MAGIC.length))) {
      throw source.invalid("is not a .npy array: it does not begin with \\x93NUMPY");
    }
    int major = preamble[MAGIC.length];
    int minor = preamble[MAGIC.length + 1];
    if (major < 1 || major > 3 || minor != 0) {
      throw source.invalid(
          "is of .npy version " + major + "." + minor + "; save it as version 1.0, 2.0 or 3.0");
    }
    int lengthBytes = major == 1 ? Short.BYTES : Integer.BYTES;
    long headerBytes = headerLength(in, lengthBytes, source);
    NpyHeader header = readHeader(in, major, headerBytes, source);
    ElementType type = elementType(header.descr(), source);
    checkSize(header, type, size - PREAMBLE - lengthBytes - headerBytes, source);
    return readElements(in, header, type, believed, name, source);
  }

  /** Writes a whole file or nothing; see {@link #write(OutputStream, Tensor)}. */
  public static void write(Path file, Tensor tensor) throws IOException {
    AtomicFile.write(file, out -> write(out, tensor));
  }

  /** Writes version 1.0, type {@code <f4}, row-major. */
  public static void write(OutputStream out, Tensor tensor) throws IOException {
    String header = new NpyHeader("<f4", false, tensor.shape()).format();
    // Spaces and a line end make the elements begin at a multiple of 64.
    int fixed = PREAMBLE + Short.BYTES + header.length() + 1;
    int padding = Math.floorMod(-fixed, ALIGNMENT);
    int headerBytes = header.length() + padding + 1;
    out.write(MAGIC);
    out.write(new byte[] {1, 0, (byte) headerBytes, (byte) (headerBytes >> 8)});
    out.write((header + " ".repeat(padding) + "\n").getBytes(StandardCharsets.ISO_8859_1));
    ElementType.F32.write(tensor.data(), out);
  }

  private static long headerLength(InputStream in, int lengthBytes, Source source)
      throws IOException {
    byte[] bytes = in.readNBytes(lengthBytes);
    if (bytes.length < lengthBytes) {
      throw source.truncated(lengthBytes - bytes.length);
    }
    byte[] widened = Arrays.copyOf(bytes, Long.BYTES);
    long length = ByteBuffer.wrap(widened).order(ByteOrder.LITTLE_ENDIAN).getLong();
    if (length > LARGEST_HEADER) {
      throw source.invalid(
          "has a header of "
              + length
              + " bytes, more than a plain array needs;"
              + " save one plain array of numbers");
    }
    return length;
  }

  private static NpyHeader readHeader(InputStream in, int major, long length, Source source)
      throws IOException {
    byte[] bytes = in.readNBytes((int) length);
    if (bytes.length < length) {
      throw source.truncated(length - bytes.length);
    }
    Charset charset = major == 3 ? StandardCharsets.UTF_8 : StandardCharsets.ISO_8859_1;
    return NpyHeader.parse(new String(bytes, charset), source);
  }

  private static ElementType elementType(String descr, Source source) {
    if (descr.startsWith("|O")) {
      throw source.invalid(
          "has dtype "
              + Source.quote(descr)
              + ", Python objects, which only a pickle holds;"
              + " save it with .astype('float32')");
    }
    boolean hasOrder = !descr.isEmpty() && "<>|=".indexOf(descr.charAt(0)) >= 0;
    ElementType type = hasOrder ? TYPES.get(descr.substring(1)) : null;
    boolean needsOrder = type != null && type.size() > 1;
    if (type == null || needsOrder && descr.charAt(0) == '|') {
      throw source.invalid(
          "has dtype "
              + Source.quote(descr)
              + ", which is not read; save it with .astype('float32')");
    }
    return type;
  }

  private static void checkSize(NpyHeader header, ElementType type, long actual, Source source) {
    long expected;
    try {
      expected = Math.multiplyExact(Tensor.elementCount(header.shape()), type.size());
    } catch (ArithmeticException e) {
      throw source.invalid(
          "has shape " + Arrays.toString(header.shape()) + ", more than any file holds");
    }
    if (actual < expected) {
      throw source.truncated(expected - actual);
    }
    if (actual > expected) {
      throw source.invalid(
          "has "
              + (actual - expected)
              + " bytes after its last element; its header says shape "
              + Arrays.toString(header.shape())
              + ", so make or fetch it again");
    }
  }

  private static Tensor readElements(
      InputStream in, NpyHeader header, ElementType type, long believed, String name, Source source)
      throws IOException {
    long count = Tensor.elementCount(header.shape());
    GrowableFloats floats = new GrowableFloats(source, Math.min(count, believed));
    type.read(in, order(header.descr()), count, floats, source);
    FloatBuffer data = floats.toBuffer();
    boolean transposed = header.fortranOrder() && header.shape().length > 1;
    return new Tensor(
        name, header.shape(), transposed ? toRowMajor(data, header.shape(), source) : data);
  }

  private static ByteOrder order(String descr) {
    return switch (descr.charAt(0)) {
      case '>' -> ByteOrder.BIG_ENDIAN;
      case '=' -> ByteOrder.nativeOrder();
      default -> ByteOrder.LITTLE_ENDIAN;
    };
  }

  /** Walks the result in order, the index into {@code data} following by strides. */
  private static FloatBuffer toRowMajor(FloatBuffer data, long[] shape, Source source) {
    FloatBuffer result = GrowableFloats.allocate(source, data.remaining());
    int[] strides = new int[shape.length];
    int[] index = new int[shape.length];
    int stride = 1;
    for (int d = 0; d < shape.length; d++) {
      strides[d] = stride;
      stride *= (int) shape[d];
    }
    int from = 0;
    while (result.hasRemaining()) {
      result.put(data.get(from));
      for (int d = shape.length - 1; d >= 0; d--) {
        from += strides[d];
        if (++index[d] < shape[d]) {
          break;
        }
        from -= strides[d] * index[d];
        index[d] = 0;
      }
    }
    return result.flip();
  }
}
