package io.ringstep;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;

/** What decides the bits of a training: the same on every rank, and before and after a checkpoint. */
record TrainingFacts(Network network, Optimizer optimizer, Dataset data, Fit fit) {
  private static final int BLOCK_FLOATS = 1 << 14;

  /** By name, in an order that suits messages. */
  Map<String, String> byName() {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put(
        "network",
        Arrays.stream(network.sizes()).mapToObj(Integer::toString).collect(Collectors.joining(",")));
    facts.put("activation", network.activation().name().toLowerCase(Locale.ROOT));
    facts.put("optimizer", optimizer.toString());
    facts.put("batch", Long.toString(fit.batch()));
    facts.put("order", fit.shuffle() ? "shuffled with seed " + fit.seed() : "not shuffled");
    facts.put("rows", Long.toString(data.rows()));
    facts.put("inputs", Integer.toString(data.inputs()));
    facts.put("targets", Integer.toString(data.outputs()));
    facts.put("data checksum", data.read(TrainingFacts::checksum));
    return facts;
  }

  private static String checksum(FloatBuffer x, FloatBuffer y) {
    CRC32C crc = new CRC32C();
    update(crc, x);
    update(crc, y);
    return Long.toHexString(crc.getValue());
  }

  private static void update(CRC32C crc, FloatBuffer values) {
    ByteBuffer block = ByteBuffer.allocateDirect(BLOCK_FLOATS * Float.BYTES).order(values.order());
    FloatBuffer rest = values.duplicate();
    while (rest.hasRemaining()) {
      FloatBuffer part = rest.slice(rest.position(), Math.min(BLOCK_FLOATS, rest.remaining()));
      rest.position(rest.position() + part.remaining());
      block.clear().limit(part.remaining() * Float.BYTES);
      block.asFloatBuffer().put(part);
      crc.update(block);
    }
  }
}
