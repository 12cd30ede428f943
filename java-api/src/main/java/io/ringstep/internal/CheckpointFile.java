package io.ringstep.internal;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import com.google.gson.reflect.TypeToken;
import io.ringstep.InvalidDataException;
import io.ringstep.Model;
import io.ringstep.internal.files.SafetensorsFile;
import io.ringstep.internal.files.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * Checkpoints as {@code .safetensors}: a model file, which any reader of models takes as one, with the
 * optimizer's moments as tensors {@code optimizer.0}, {@code optimizer.1} beside the parameters, the average of the
 * parameters and the best ones so far as {@code training.average} and {@code training.best}, and in the metadata the
 * rest, with a checksum over all of it.
 */
public final class CheckpointFile {
  private static final String MOMENTS = "optimizer.";
  private static final String TRAINING = "training.";
  private static final String AVERAGE = TRAINING + "average";
  private static final String BEST = TRAINING + "best";
  private static final String PREFIX = "ringstep.checkpoint.";
  private static final String FORMAT = PREFIX + "format";
  private static final String SETTINGS = PREFIX + "settings";
  private static final String OPTIMIZER_STEPS = PREFIX + "optimizer_steps";
  private static final String BETA1_POWER = PREFIX + "beta1_power";
  private static final String BETA2_POWER = PREFIX + "beta2_power";
  private static final String LEARNING_RATE = PREFIX + "learning_rate";
  private static final String AVERAGED = PREFIX + "averaged";
  private static final String WEIGHT_SUM = PREFIX + "weight_sum";
  private static final String VALIDATION_LOSSES = PREFIX + "validation_losses";
  private static final String BEST_LOSS = PREFIX + "best_loss";
  private static final String BEST_EPOCH = PREFIX + "best_epoch";
  private static final String LOSS_TO_BEAT = PREFIX + "loss_to_beat";
  private static final String EPOCHS_WITHOUT_GAIN = PREFIX + "epochs_without_gain";
  private static final String SCALE = PREFIX + "learning_rate_scale";
  private static final String PLATEAU_BEST = PREFIX + "plateau_best";
  private static final String PLATEAU_EPOCHS = PREFIX + "plateau_epochs";
  private static final String EPOCH = PREFIX + "epoch";
  private static final String ROW = PREFIX + "row";
  private static final String STEPS = PREFIX + "steps";
  private static final String LOSS_SUM = PREFIX + "loss_sum";
  private static final String LOSSES = PREFIX + "losses";
  private static final String VERSION = PREFIX + "ringstep";
  private static final String CHECKSUM = PREFIX + "crc32c";
  private static final String CURRENT = "2";
  private static final Gson GSON = new Gson();

  private CheckpointFile() {}

  /** The tensors that make up the model. */
  static List<Tensor> parameters(SafetensorsFile content) {
    return content.tensors().stream()
        .filter(tensor -> !tensor.name().startsWith(MOMENTS) && !tensor.name().startsWith(TRAINING))
        .toList();
  }

  /** Writes a checkpoint, whole or not at all. */
  public static void write(CheckpointData data, Path file) throws IOException {
    List<Tensor> tensors = new ArrayList<>(ModelFile.tensors(List.of(data.model()), false));
    int parameters = data.model().network().parameterCount();
    for (int i = 0; i * parameters < data.moments().length; i++) {
      FloatBuffer moment = ModelFile.allocate(parameters).put(data.moments(), i * parameters, parameters);
      tensors.add(new Tensor(MOMENTS + i, new long[] {parameters}, moment.flip()));
    }
    addVector(tensors, AVERAGE, data.average().parameters());
    addVector(tensors, BEST, data.monitor().bestParameters());
    Map<String, String> metadata = new TreeMap<>(ModelMetadata.of(data.model()).strings());
    metadata.put(FORMAT, CURRENT);
    metadata.put(VERSION, Native.version());
    metadata.put(SETTINGS, GSON.toJson(data.settings()));
    metadata.put(OPTIMIZER_STEPS, Long.toString(data.optimizer().steps()));
    metadata.put(BETA1_POWER, bits(data.optimizer().beta1Power()));
    metadata.put(BETA2_POWER, bits(data.optimizer().beta2Power()));
    metadata.put(LEARNING_RATE, bits(data.optimizer().learningRate()));
    metadata.put(AVERAGED, Long.toString(data.average().count()));
    put(metadata, data.monitor());
    metadata.put(EPOCH, Long.toString(data.position().epoch()));
    metadata.put(ROW, Long.toString(data.position().row()));
    metadata.put(STEPS, Long.toString(data.position().steps()));
    metadata.put(LOSS_SUM, bits(data.position().lossSum()));
    metadata.put(WEIGHT_SUM, bits(data.position().weightSum()));
    metadata.put(LOSSES, encode(data.position().losses()));
    metadata.put(CHECKSUM, checksum(tensors, metadata));
    SafetensorsFile.write(file, tensors, metadata);
  }

  /**
   * Reads a checkpoint.
   *
   * @throws InvalidDataException if the file is missing, malformed, damaged, or no checkpoint
   */
  public static CheckpointData read(Path file) {
    SafetensorsFile content = SafetensorsFile.read(file);
    Map<String, String> metadata = content.metadata();
    if (!CURRENT.equals(metadata.get(FORMAT))) {
      throw invalid(
          file,
          metadata.containsKey(FORMAT)
              ? "is a checkpoint of format " + metadata.get(FORMAT) + ", which this version cannot read"
              : "is no checkpoint; name one that --checkpoint wrote");
    }
    if (!checksum(content.tensors(), metadata).equals(metadata.get(CHECKSUM))) {
      throw invalid(file, "is damaged: its checksum does not match");
    }
    try {
      List<Model> models = ModelFile.models(file, content);
      int parameters = models.get(0).network().parameterCount();
      return new CheckpointData(
          models.get(0),
          moments(content, parameters),
          new CheckpointData.Optimizer(
              number(metadata, OPTIMIZER_STEPS), real(metadata, BETA1_POWER), real(metadata, BETA2_POWER),
              real(metadata, LEARNING_RATE)),
          new CheckpointData.Average(vector(content, AVERAGE, parameters), number(metadata, AVERAGED)),
          new CheckpointData.Position(
              number(metadata, EPOCH), number(metadata, ROW), number(metadata, STEPS),
              real(metadata, LOSS_SUM), real(metadata, WEIGHT_SUM), decode(metadata.get(LOSSES))),
          monitor(metadata, vector(content, BEST, parameters)),
          GSON.fromJson(metadata.get(SETTINGS), new TypeToken<TreeMap<String, String>>() {}));
    } catch (JsonParseException | IllegalArgumentException | NullPointerException e) {
      throw new InvalidDataException(file, 0, 0, "is a malformed checkpoint: " + e.getMessage(), e);
    }
  }

  private static void addVector(List<Tensor> tensors, String name, float[] values) {
    if (values.length > 0) {
      FloatBuffer copy = ModelFile.allocate(values.length).put(values);
      tensors.add(new Tensor(name, new long[] {values.length}, copy.flip()));
    }
  }

  private static void put(Map<String, String> metadata, CheckpointData.Monitor monitor) {
    metadata.put(VALIDATION_LOSSES, encode(monitor.validationLosses()));
    metadata.put(BEST_LOSS, bits(monitor.bestLoss()));
    metadata.put(BEST_EPOCH, Long.toString(monitor.bestEpoch()));
    metadata.put(LOSS_TO_BEAT, bits(monitor.lossToBeat()));
    metadata.put(EPOCHS_WITHOUT_GAIN, Long.toString(monitor.epochsWithoutGain()));
    metadata.put(SCALE, bits(monitor.scale()));
    metadata.put(PLATEAU_BEST, bits(monitor.plateauBest()));
    metadata.put(PLATEAU_EPOCHS, Long.toString(monitor.plateauEpochs()));
  }

  private static CheckpointData.Monitor monitor(Map<String, String> metadata, float[] best) {
    return new CheckpointData.Monitor(
        decode(metadata.get(VALIDATION_LOSSES)), real(metadata, BEST_LOSS), number(metadata, BEST_EPOCH), best,
        real(metadata, LOSS_TO_BEAT), number(metadata, EPOCHS_WITHOUT_GAIN), real(metadata, SCALE),
        real(metadata, PLATEAU_BEST), number(metadata, PLATEAU_EPOCHS));
  }

  /** Empty where there is none. */
  private static float[] vector(SafetensorsFile content, String name, int parameters) {
    if (content.tensor(name).isEmpty()) {
      return new float[0];
    }
    FloatBuffer data = content.tensor(name).get().data();
    if (data.remaining() != parameters) {
      throw new IllegalArgumentException(name + " has " + data.remaining() + " values for " + parameters + " parameters");
    }
    float[] values = new float[parameters];
    data.duplicate().get(values);
    return values;
  }

  private static float[] moments(SafetensorsFile content, int parameters) {
    List<Tensor> tensors =
        content.tensors().stream().filter(tensor -> tensor.name().startsWith(MOMENTS)).toList();
    float[] moments = new float[Math.multiplyExact(tensors.size(), parameters)];
    for (int i = 0; i < tensors.size(); i++) {
      FloatBuffer data = content.tensor(MOMENTS + i).orElseThrow(IllegalArgumentException::new).data();
      if (data.remaining() != parameters) {
        throw new IllegalArgumentException(MOMENTS + i + " has " + data.remaining() + " values for " + parameters + " parameters");
      }
      data.duplicate().get(moments, i * parameters, parameters);
    }
    return moments;
  }

  // ---- numbers, to the last bit ----

  private static String bits(double value) {
    return HexFormat.of().toHexDigits(Double.doubleToRawLongBits(value));
  }

  private static double real(Map<String, String> metadata, String key) {
    return Double.longBitsToDouble(HexFormat.fromHexDigitsToLong(metadata.get(key)));
  }

  private static long number(Map<String, String> metadata, String key) {
    long number = Long.parseLong(metadata.get(key));
    if (number < 0) {
      throw new IllegalArgumentException(key + " is " + number);
    }
    return number;
  }

  private static String encode(double[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(values.length, Double.BYTES)).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asDoubleBuffer().put(values);
    return Base64.getEncoder().encodeToString(bytes.array());
  }

  private static double[] decode(String text) {
    byte[] bytes = Base64.getDecoder().decode(text);
    double[] values = new double[bytes.length / Double.BYTES];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asDoubleBuffer().get(values);
    return values;
  }

  // ---- damage ----

  private static String checksum(List<Tensor> tensors, Map<String, String> metadata) {
    CRC32C crc = new CRC32C();
    Map<String, Tensor> byName = new TreeMap<>();
    tensors.forEach(tensor -> byName.put(tensor.name(), tensor));
    byName.forEach(
        (name, tensor) -> {
          update(crc, name);
          FloatBuffer data = tensor.data().duplicate();
          ByteBuffer block = ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN);
          while (data.hasRemaining()) {
            block.clear();
            while (data.hasRemaining() && block.hasRemaining()) {
              block.putInt(Float.floatToRawIntBits(data.get()));
            }
            crc.update(block.flip());
          }
        });
    new TreeMap<>(metadata)
        .forEach(
            (key, value) -> {
              if (!key.equals(CHECKSUM)) {
                update(crc, key);
                update(crc, value);
              }
            });
    return Long.toHexString(crc.getValue());
  }

  private static void update(CRC32C crc, String text) {
    crc.update(text.getBytes(StandardCharsets.UTF_8));
    crc.update(0);
  }

  private static InvalidDataException invalid(Path file, String problem) {
    return new InvalidDataException(file, 0, 0, problem);
  }
}
