package io.ringstep.internal;

import io.ringstep.Encoding;
import io.ringstep.InvalidDataException;
import io.ringstep.Network;
import io.ringstep.internal.files.ElementType;
import io.ringstep.internal.files.Tensor;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The tensors of a model file: what network they make up, checked to the last number. */
final class ModelTensors {
  /** What the name of a weight matrix of whole numbers is followed by for its scales. */
  static final String SCALE = "_scale";

  private static final Pattern NAME =
      Pattern.compile("fc([1-9][0-9]{0,8})\\.(?:weight|bias|weight" + SCALE + ")");
  private static final int MATRIX = 2;

  private final Path file;
  private final Map<String, Tensor> tensors = new HashMap<>();
  private final long[] stack;
  private final Network network;

  ModelTensors(Path file, List<Tensor> tensors) {
    this.file = file;
    int layers = 1;
    for (Tensor tensor : tensors) {
      this.tensors.put(tensor.name(), tensor);
      layers = Math.max(layers, layer(tensor.name()));
    }
    long[] first = shape("fc1.weight");
    boolean stacked = first.length == MATRIX + 1;
    this.stack = stacked ? new long[] {first[0]} : new long[0];
    this.network = Network.of(sizes(layers, first[first.length - 1]));
    tensors.forEach(this::requireFinite);
    tensors.stream().filter(tensor -> tensor.type() == ElementType.I8).forEach(this::requireScale);
    tensors.stream().filter(tensor -> tensor.name().endsWith(SCALE)).forEach(this::restore);
  }

  /** How the file holds its tensors; float32 if not all alike. */
  Encoding encoding() {
    if (tensors.values().stream().anyMatch(tensor -> tensor.type() == ElementType.I8)) {
      return Encoding.INT8;
    }
    Set<ElementType> types = tensors.values().stream().map(Tensor::type).collect(Collectors.toSet());
    if (types.equals(Set.of(ElementType.F16))) {
      return Encoding.FLOAT16;
    }
    return types.equals(Set.of(ElementType.BF16)) ? Encoding.BFLOAT16 : Encoding.FLOAT32;
  }

  /** The network, without activations: tensors do not tell. */
  Network network() {
    return network;
  }

  /** The flat parameters of every model. */
  List<float[]> parameters(Network network) {
    int models = stack.length == 0 ? 1 : (int) stack[0];
    List<float[]> all = new ArrayList<>();
    for (int model = 0; model < models; model++) {
      float[] flat = new float[network.parameterCount()];
      for (Network.Parameter parameter : network.parameters()) {
        FloatBuffer data = tensors.get(parameter.name()).data();
        data.get(model * parameter.size(), flat, parameter.offset(), parameter.size());
      }
      all.add(flat);
    }
    return all;
  }

  private int layer(String name) {
    Matcher matcher = NAME.matcher(name);
    if (!matcher.matches()) {
      throw invalid(
          name, "is not of a model that can be read; it has fc1.weight, fc1.bias, fc2.weight, …");
    }
    return Integer.parseInt(matcher.group(1));
  }

  /** Walks the layers: each takes as many inputs as the one before gives outputs. */
  private int[] sizes(int layers, long inputs) {
    List<Long> sizes = new ArrayList<>(List.of(inputs));
    for (int layer = 1; layer <= layers; layer++) {
      String weight = "fc" + layer + ".weight";
      long[] shape = shape(weight);
      long outputs = shape[shape.length - MATRIX];
      requireShape(weight, outputs, sizes.get(layer - 1));
      requireShape("fc" + layer + ".bias", outputs);
      sizes.add(outputs);
    }
    return sizes.stream().mapToInt(Long::intValue).toArray();
  }

  private void requireShape(String name, long... ofOneModel) {
    long[] needed = Arrays.copyOf(stack, stack.length + ofOneModel.length);
    System.arraycopy(ofOneModel, 0, needed, stack.length, ofOneModel.length);
    long[] shape = shape(name);
    if (!Arrays.equals(shape, needed)) {
      throw invalid(
          name, "has shape " + Arrays.toString(shape) + " where " + Arrays.toString(needed) + " is needed");
    }
  }

  /** The shape of a tensor that must be there, with every dimension in range. */
  private long[] shape(String name) {
    Tensor tensor = tensors.get(name);
    if (tensor == null) {
      throw invalid(name, "is missing; a model has fc1.weight, fc1.bias, fc2.weight, … without gaps");
    }
    long[] shape = tensor.shape();
    boolean weight = name.endsWith(".weight");
    boolean ranked = !weight || shape.length == MATRIX || shape.length == MATRIX + 1;
    if (!ranked || Arrays.stream(shape).anyMatch(size -> size < 1 || size > Integer.MAX_VALUE)) {
      throw invalid(
          name,
          "has shape " + Arrays.toString(shape) + " where "
              + (weight ? "[out, in], or [models, out, in]," : "[out], or [models, out],") + " is needed");
    }
    return shape;
  }

  private void requireFinite(Tensor tensor) {
    FloatBuffer data = tensor.data();
    for (int i = 0; i < data.limit(); i++) {
      if (!Float.isFinite(data.get(i))) {
        throw invalid(
            tensor.name(), "holds " + data.get(i) + " at element " + i + "; every weight must be finite");
      }
    }
  }

  private void requireScale(Tensor tensor) {
    if (!tensors.containsKey(tensor.name() + SCALE)) {
      throw invalid(tensor.name(), "is of whole numbers (I8), but no tensor '" + tensor.name() + SCALE + "' scales them");
    }
  }

  /** Multiplies whole numbers, in place, with the scales of their rows. */
  private void restore(Tensor scales) {
    String name = scales.name().substring(0, scales.name().length() - SCALE.length());
    Tensor weight = tensors.get(name);
    if (weight == null || weight.type() != ElementType.I8) {
      throw invalid(scales.name(), "scales '" + name + "', which is not of whole numbers (I8)");
    }
    long[] shape = weight.shape();
    long[] rows = Arrays.copyOf(shape, shape.length - 1);
    if (!Arrays.equals(scales.shape(), rows)) {
      throw invalid(
          scales.name(),
          "has shape " + Arrays.toString(scales.shape()) + " where " + Arrays.toString(rows) + " is needed");
    }
    int columns = (int) shape[shape.length - 1];
    FloatBuffer numbers = weight.data();
    FloatBuffer scale = scales.data();
    for (int i = 0; i < numbers.limit(); i++) {
      numbers.put(i, numbers.get(i) * scale.get(i / columns));
    }
  }

  private InvalidDataException invalid(String name, String problem) {
    return new InvalidDataException(file, 0, 0, "tensor '" + name + "' " + problem);
  }
}
