package io.ringstep.internal.files;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import com.google.gson.stream.MalformedJsonException;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.StringWriter;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * The JSON at the head of a {@code .safetensors} file.
 *
 * @param entries the tensors, in the order of their data
 * @param metadata the user's own strings
 */
record SafetensorsHeader(List<Entry> entries, Map<String, String> metadata) {
  private static final String METADATA = "__metadata__";
  private static final Map<String, ElementType> DTYPES =
      Map.of(
          "F32", ElementType.F32,
          "F64", ElementType.F64,
          "F16", ElementType.F16,
          "BF16", ElementType.BF16,
          "I8", ElementType.I8);

  /**
   * One tensor.
   *
   * @param begin where its data begins, from the end of the header
   * @param end where its data ends
   */
  record Entry(String name, ElementType type, long[] shape, long begin, long end) {
    String label() {
      return SafetensorsHeader.label(name);
    }
  }

  /**
   * Parses a header and checks it against the data that follows.
   *
   * @param dataBytes how many bytes follow the header
   */
  static SafetensorsHeader parse(byte[] json, long dataBytes, Source source) {
    if (json.length == 0 || json[0] != '{') {
      throw source.invalid("is not a .safetensors file: its header does not begin with '{'");
    }
    var decoder = StandardCharsets.UTF_8.newDecoder();
    var text = new InputStreamReader(new ByteArrayInputStream(json), decoder);
    try (JsonReader reader = new JsonReader(text)) {
      reader.setStrictness(Strictness.STRICT);
      SafetensorsHeader header = new Parser(reader, source).header();
      checkLayout(header.entries, dataBytes, source);
      return header;
    } catch (CharacterCodingException e) {
      throw source.invalid(
          "has a header that is not UTF-8; the file is damaged, make or fetch it again");
    } catch (MalformedJsonException | EOFException e) {
      throw source.invalid(
          "has a header that is not JSON; the file is damaged, make or fetch it again");
    } catch (IOException e) {
      throw source.unreadable(e);
    }
  }

  /** The data is one run of tensors: no hole, no overlap, nothing left over. */
  private static void checkLayout(List<Entry> entries, long dataBytes, Source source) {
    long expected = 0;
    for (Entry entry : entries) {
      Source tensor = source.part(entry.label());
      if (entry.begin != expected) {
        throw tensor.invalid(
            "begins at byte "
                + entry.begin
                + " of the data where byte "
                + expected
                + " is next: the tensors overlap or leave a hole");
      }
      if (entry.end > dataBytes) {
        throw tensor.truncated(entry.end - dataBytes);
      }
      expected = entry.end;
    }
    if (expected != dataBytes) {
      throw source.invalid(
          "has "
              + (dataBytes - expected)
              + " bytes that belong to no tensor, after "
              + (entries.isEmpty() ? "the header" : entries.get(entries.size() - 1).label()));
    }
  }

  /** The JSON of a file with these tensors, padded so that the data begins at a multiple of 8. */
  static byte[] format(List<Tensor> tensors, Map<String, String> metadata) throws IOException {
    StringWriter text = new StringWriter();
    try (JsonWriter json = new JsonWriter(text)) {
      json.setStrictness(Strictness.STRICT);
      json.beginObject();
      writeMetadata(json, metadata);
      long begin = 0;
      for (Tensor tensor : tensors) {
        long end = begin + tensor.elementCount() * tensor.type().size();
        writeEntry(json, tensor, begin, end);
        begin = end;
      }
      json.endObject();
    }
    ByteBuffer utf8 = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text.getBuffer()));
    byte[] padded = new byte[(utf8.remaining() + 7) / 8 * 8];
    Arrays.fill(padded, (byte) ' ');
    utf8.get(padded, 0, utf8.remaining());
    return padded;
  }

  private static void writeMetadata(JsonWriter json, Map<String, String> metadata)
      throws IOException {
    if (metadata.isEmpty()) {
      return;
    }
    json.name(METADATA).beginObject();
    // Sorted, so that equal metadata makes equal files.
    for (var entry : new TreeMap<>(metadata).entrySet()) {
      json.name(entry.getKey()).value(entry.getValue());
    }
    json.endObject();
  }

  private static void writeEntry(JsonWriter json, Tensor tensor, long begin, long end)
      throws IOException {
    json.name(tensor.name()).beginObject();
    json.name("dtype").value(tensor.type().name());
    json.name("shape").beginArray();
    for (long length : tensor.shape()) {
      json.value(length);
    }
    json.endArray();
    json.name("data_offsets").beginArray().value(begin).value(end).endArray();
    json.endObject();
  }

  /** Names that a file with these tensors could not hold, or not hold twice, are refused. */
  static void requireWritableNames(List<Tensor> tensors) {
    Set<String> names = new HashSet<>(Set.of(METADATA));
    for (Tensor tensor : tensors) {
      if (!names.add(tensor.name())) {
        throw new IllegalArgumentException(label(tensor.name()) + " is named twice, or reserved");
      }
    }
  }

  private static String label(String name) {
    return "tensor " + Source.quote(name);
  }

  /** A recursive descent over the header's fixed structure. */
  private static final class Parser {
    private final JsonReader json;
    private final Source source;

    Parser(JsonReader json, Source source) {
      this.json = json;
      this.source = source;
    }

    SafetensorsHeader header() throws IOException {
      List<Entry> entries = new ArrayList<>();
      Map<String, String> metadata = Map.of();
      Set<String> names = new HashSet<>();
      json.beginObject();
      while (json.hasNext()) {
        String name = json.nextName();
        if (!names.add(name)) {
          throw source.part(label(name)).invalid("is in the header twice");
        }
        if (name.equals(METADATA)) {
          metadata = metadata();
        } else {
          entries.add(entry(name));
        }
      }
      json.endObject();
      expect(JsonToken.END_DOCUMENT, source, "has text after its header");
      entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
      return new SafetensorsHeader(entries, metadata);
    }

    private Map<String, String> metadata() throws IOException {
      Source part = source.part(METADATA);
      Map<String, String> metadata = new LinkedHashMap<>();
      expect(JsonToken.BEGIN_OBJECT, part, "is not an object of strings");
      json.beginObject();
      while (json.hasNext()) {
        String key = json.nextName();
        expect(JsonToken.STRING, part, "is not an object of strings");
        if (metadata.put(key, json.nextString()) != null) {
          throw part.invalid("has the key " + Source.quote(key) + " twice");
        }
      }
      json.endObject();
      return metadata;
    }

    private Entry entry(String name) throws IOException {
      Source tensor = source.part(label(name));
      ElementType type = null;
      long[] shape = null;
      long[] offsets = null;
      Set<String> seen = new LinkedHashSet<>();
      expect(JsonToken.BEGIN_OBJECT, tensor, "is not described by an object");
      json.beginObject();
      while (json.hasNext()) {
        String field = json.nextName();
        if (!seen.add(field)) {
          throw tensor.invalid("has the field " + Source.quote(field) + " twice");
        }
        switch (field) {
          case "dtype" -> type = dtype(tensor);
          case "shape" -> shape = integers(field, tensor);
          case "data_offsets" -> offsets = integers(field, tensor);
          default -> throw tensor.invalid("has an unknown field " + Source.quote(field));
        }
      }
      json.endObject();
      if (seen.size() < 3) {
        throw tensor.invalid("needs dtype, shape and data_offsets, but has only " + seen);
      }
      return entry(name, type, shape, offsets, tensor);
    }

    private ElementType dtype(Source tensor) throws IOException {
      expect(JsonToken.STRING, tensor, "has a dtype that is not a string");
      String dtype = json.nextString();
      ElementType type = DTYPES.get(dtype);
      if (type == null) {
        throw tensor.invalid(
            "has dtype "
                + Source.quote(dtype)
                + "; save it as F32 (F64, F16, BF16 and I8 are read too)");
      }
      return type;
    }

    private long[] integers(String field, Source tensor) throws IOException {
      expect(JsonToken.BEGIN_ARRAY, tensor, "has a " + field + " that is not an array");
      List<Long> integers = new ArrayList<>();
      json.beginArray();
      while (json.hasNext()) {
        integers.add(integer(field, tensor));
      }
      json.endArray();
      return integers.stream().mapToLong(Long::longValue).toArray();
    }

    /** Read as text: a double would round what is above 2^53, and let fractions pass. */
    private long integer(String field, Source tensor) throws IOException {
      String notInteger = "has a " + field + " that is not made of whole numbers from 0 to 2^63-1";
      expect(JsonToken.NUMBER, tensor, notInteger);
      String digits = json.nextString();
      if (digits.matches("[0-9]{1,19}")) {
        BigInteger integer = new BigInteger(digits);
        if (integer.bitLength() < Long.SIZE) {
          return integer.longValueExact();
        }
      }
      throw tensor.invalid(notInteger + ": " + Source.quote(digits));
    }

    private Entry entry(
        String name, ElementType type, long[] shape, long[] offsets, Source tensor) {
      if (offsets.length != 2 || offsets[0] > offsets[1]) {
        throw tensor.invalid(
            "has data_offsets that are not a begin and an end: " + Arrays.toString(offsets));
      }
      long bytes = offsets[1] - offsets[0];
      if (!holds(shape, type, bytes)) {
        throw tensor.invalid(
            "has shape "
                + Arrays.toString(shape)
                + " of "
                + type
                + ", which does not take "
                + bytes
                + " bytes as its data_offsets say");
      }
      return new Entry(name, type, shape, offsets[0], offsets[1]);
    }

    private static boolean holds(long[] shape, ElementType type, long bytes) {
      try {
        return Math.multiplyExact(Tensor.elementCount(shape), type.size()) == bytes;
      } catch (ArithmeticException e) {
        return false;
      }
    }

    private void expect(JsonToken token, Source part, String problem) throws IOException {
      if (json.peek() != token) {
        throw part.invalid(problem);
      }
    }
  }
}
