package io.ringstep.internal;

import io.ringstep.Encoding;
import io.ringstep.GroupedModels;
import io.ringstep.InvalidDataException;
import io.ringstep.Model;
import io.ringstep.Network;
import io.ringstep.internal.files.ElementType;
import io.ringstep.internal.files.SafetensorsFile;
import io.ringstep.internal.files.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Models as {@code .safetensors}: one tensor a parameter, under PyTorch's name and shape, and in the
 * metadata what PyTorch has no place for. Several models of one network are stacked: every shape has
 * their number in front. The weights of {@link Encoding#INT8} are whole numbers beside their scales.
 */
public final class ModelFile {
  private static final Map<Encoding, ElementType> TYPES =
      Map.of(
          Encoding.FLOAT32, ElementType.F32,
          Encoding.FLOAT16, ElementType.F16,
          Encoding.BFLOAT16, ElementType.BF16,
          Encoding.INT8, ElementType.F32); // of what is not a weight

  private ModelFile() {}

  /**
   * Reads one model.
   *
   * @throws InvalidDataException if the file is missing or malformed, or holds several models
   */
  public static Model load(Path file) {
    List<Model> models = loadAll(file);
    if (models.size() > 1) {
      throw new InvalidDataException(
          file, 0, 0, "holds " + models.size() + " stacked models; name a file with one");
    }
    return models.get(0);
  }

  /**
   * Reads all models of a file, stacked or a single one.
   *
   * @throws InvalidDataException if the file is missing or malformed
   */
  public static List<Model> loadAll(Path file) {
    return models(file, SafetensorsFile.read(file));
  }

  static List<Model> models(Path file, SafetensorsFile content) {
    return models(file, content, ModelMetadata.parse(file, content.metadata()));
  }

  /**
   * Reads a file of one model a group; empty where it has no groups.
   *
   * @throws InvalidDataException if the file is missing or malformed
   */
  public static Optional<GroupedModels> loadGroups(Path file) {
    SafetensorsFile content = SafetensorsFile.read(file);
    ModelMetadata metadata = ModelMetadata.parse(file, content.metadata());
    if (metadata.groups() == null) {
      return Optional.empty();
    }
    List<Model> models = models(file, content, metadata);
    try {
      return Optional.of(new GroupedModels(metadata.groups().column(), metadata.groups().names(), models));
    } catch (IllegalArgumentException e) {
      throw new InvalidDataException(file, 0, 0, "does not fit together: " + e.getMessage(), e);
    }
  }

  private static List<Model> models(Path file, SafetensorsFile content, ModelMetadata metadata) {
    try {
      ModelTensors tensors = new ModelTensors(file, CheckpointFile.parameters(content));
      Network network = tensors.network().withActivation(metadata.activation());
      List<float[]> parameters = tensors.parameters(network);
      ModelMetadata.Groups groups = metadata.groups();
      if (groups != null && (groups.names().size() != parameters.size()
          || !groups.standardizers().isEmpty() && groups.standardizers().size() != parameters.size())) {
        throw new IllegalArgumentException(
            parameters.size() + " models for " + groups.names().size() + " groups with "
                + groups.standardizers().size() + " standardizers");
      }
      return IntStream.range(0, parameters.size())
          .mapToObj(k -> encoded(metadata.model(network, parameters.get(k), k), tensors.encoding()))
          .toList();
    } catch (IllegalArgumentException e) {
      throw new InvalidDataException(file, 0, 0, "does not fit together: " + e.getMessage(), e);
    }
  }

  /** A file of somebody else's may have scales of its own, which ours would not reproduce: it stays float32. */
  private static Model encoded(Model model, Encoding encoding) {
    Model encoded = model.compressed(encoding);
    return Arrays.equals(encoded.parameters(), model.parameters()) ? encoded : model;
  }

  /** Writes one model, whole or not at all. */
  public static void save(Model model, Path file) throws IOException {
    write(List.of(model), ModelMetadata.of(model), false, file);
  }

  /** Writes models of one network stacked, whole or not at all. */
  public static void saveAll(List<Model> models, Path file) throws IOException {
    write(models, ModelMetadata.of(models.get(0)), true, file);
  }

  /** Writes one model a group, stacked, whole or not at all. */
  public static void saveGroups(GroupedModels grouped, Path file) throws IOException {
    write(grouped.models(), ModelMetadata.of(grouped), true, file);
  }

  private static void write(List<Model> models, ModelMetadata metadata, boolean stacked, Path file) throws IOException {
    SafetensorsFile.write(file, tensors(models, stacked), metadata.strings());
  }

  static List<Tensor> tensors(List<Model> models, boolean stacked) {
    List<float[]> parameters = models.stream().map(Model::parameters).toList();
    Encoding encoding = models.get(0).encoding();
    List<Tensor> tensors = new ArrayList<>();
    for (Network.Parameter parameter : models.get(0).network().parameters()) {
      long[] shape = shape(models.size(), stacked, parameter);
      if (encoding == Encoding.INT8 && Compression.isWeight(parameter)) {
        addQuantized(parameter, shape, parameters, tensors);
      } else {
        FloatBuffer data = allocate(Math.multiplyExact(models.size(), parameter.size()));
        parameters.forEach(values -> data.put(values, parameter.offset(), parameter.size()));
        tensors.add(new Tensor(parameter.name(), shape, data.flip(), TYPES.get(encoding)));
      }
    }
    return tensors;
  }

  /** Adds whole numbers, and the scale of each of their rows. */
  private static void addQuantized(
      Network.Parameter weight, long[] shape, List<float[]> parameters, List<Tensor> tensors) {
    int columns = weight.shape().get(1);
    FloatBuffer numbers = allocate(Math.multiplyExact(parameters.size(), weight.size()));
    FloatBuffer scales = allocate(numbers.capacity() / columns);
    for (float[] values : parameters) {
      for (int row = weight.offset(); row < weight.offset() + weight.size(); row += columns) {
        float scale = Compression.scale(values, row, columns);
        scales.put(scale);
        for (int i = row; i < row + columns; i++) {
          numbers.put(Compression.quantize(values[i], scale));
        }
      }
    }
    tensors.add(new Tensor(weight.name(), shape, numbers.flip(), ElementType.I8));
    long[] rows = Arrays.copyOf(shape, shape.length - 1);
    tensors.add(new Tensor(weight.name() + ModelTensors.SCALE, rows, scales.flip()));
  }

  private static long[] shape(int models, boolean stacked, Network.Parameter parameter) {
    List<Integer> shape = new ArrayList<>(stacked ? List.of(models) : Collections.emptyList());
    shape.addAll(parameter.shape());
    return shape.stream().mapToLong(Integer::longValue).toArray();
  }

  static FloatBuffer allocate(int floats) {
    return ByteBuffer.allocateDirect(Math.multiplyExact(floats, Float.BYTES))
        .order(ByteOrder.nativeOrder())
        .asFloatBuffer();
  }
}
