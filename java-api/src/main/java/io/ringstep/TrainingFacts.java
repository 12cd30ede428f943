package io.ringstep;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;

/**
 * What decides the bits of a training: the same on every rank, and before and after a checkpoint.
 *
 * @param settings of the trainer beside the network and the optimizer, by name
 */
record TrainingFacts(
    Network network, Optimizer optimizer, Map<String, String> settings, Dataset data, Fit fit) {
  private static final String NONE = "none";
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
    facts.put("checksum of the sample weights", weights(data));
    facts.putAll(settings);
    facts.putAll(ofEpochs(fit, fit.validation()));
    return facts;
  }

  /**
   * Those of what is decided between two epochs.
   *
   * @param validation may be null
   */
  static Map<String, String> ofEpochs(Fit fit, Dataset validation) {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("schedule", schedule(fit));
    facts.put("average", average(fit));
    facts.put(
        "checksum of the validation rows",
        validation == null ? NONE : validation.read(TrainingFacts::checksum) + ", weights " + weights(validation));
    facts.put(
        "early stopping", fit.patience() == 0 ? NONE : "patience " + fit.patience() + ", min delta " + fit.minDelta());
    return facts;
  }

  private static String schedule(Fit fit) {
    Schedule schedule = fit.schedule();
    return switch (schedule.kind()) {
      // Its formula has the number of all epochs in it.
      case COSINE -> schedule + ", over " + fit.epochs() + " epochs";
      case PLATEAU -> schedule + ", to " + schedule.minLearningRate();
      default -> schedule.toString();
    };
  }

  private static String average(Fit fit) {
    return switch (fit.average()) {
      case NONE -> NONE;
      case EMA -> "EMA of decay " + fit.decay();
      case SWA -> "SWA after " + fit.averageStart() + " epochs";
    };
  }

  private static String weights(Dataset data) {
    if (!data.isWeighted()) {
      return NONE;
    }
    return data.readWeights(
        weights -> {
          CRC32C crc = new CRC32C();
          update(crc, weights);
          return Long.toHexString(crc.getValue());
        });
  }

  static String checksum(FloatBuffer x, FloatBuffer y) {
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
