package io.ringstep.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.Activation;
import io.ringstep.Encoding;
import io.ringstep.InvalidDataException;
import io.ringstep.Model;
import io.ringstep.Network;
import io.ringstep.Standardizer;
import io.ringstep.internal.files.ElementType;
import io.ringstep.internal.files.SafetensorsFile;
import io.ringstep.internal.files.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelFileTest {
  private static final Network NETWORK = Network.of(2, 3, 1).withActivation(Activation.TANH);

  @TempDir Path folder;

  private Path file;

  @BeforeEach
  void nameFile() {
    file = folder.resolve("model.safetensors");
  }

  @Test
  void keepsEverything() throws IOException {
    Standardizer standardizer =
        new Standardizer(
            new double[] {0.1, -1e-300}, new double[] {1 / 3.0, 1e300},
            new double[] {Math.PI}, new double[] {2});
    Model model =
        new Model(NETWORK, numbers(13, 1), standardizer, List.of("a,\"b\"", "größe"), List.of("y"));
    ModelFile.save(model, file);

    Model loaded = ModelFile.load(file);
    assertEquals(NETWORK, loaded.network());
    assertArrayEquals(model.parameters(), loaded.parameters());
    assertEquals(Optional.of(standardizer), loaded.standardizer());
    assertEquals(model.inputNames(), loaded.inputNames());
    assertEquals(model.targetNames(), loaded.targetNames());
  }

  @Test
  void writesNamesAndShapesOfPyTorch() throws IOException {
    ModelFile.save(new Model(NETWORK, numbers(13, 1)), file);

    SafetensorsFile content = SafetensorsFile.read(file);
    assertEquals(
        List.of("fc1.weight [3, 2]", "fc1.bias [3]", "fc2.weight [1, 3]", "fc2.bias [1]"),
        content.tensors().stream().map(t -> t.name() + " " + Arrays.toString(t.shape())).toList());
    assertEquals(Map.of("format", "pt", "ringstep.activation", "tanh"), content.metadata());
    float[] weight = new float[6];
    content.tensor("fc1.weight").orElseThrow().data().get(weight);
    assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, weight);
  }

  @Test
  void stacksModels() throws IOException {
    List<Model> models = List.of(new Model(NETWORK, numbers(13, 1)), new Model(NETWORK, numbers(13, 100)));
    ModelFile.saveAll(models, file);

    Tensor weight = SafetensorsFile.read(file).tensor("fc1.weight").orElseThrow();
    assertArrayEquals(new long[] {2, 3, 2}, weight.shape());
    List<Model> loaded = ModelFile.loadAll(file);
    assertEquals(2, loaded.size());
    assertArrayEquals(numbers(13, 1), loaded.get(0).parameters());
    assertArrayEquals(numbers(13, 100), loaded.get(1).parameters());
    assertRefused("holds 2 stacked models; name a file with one", () -> ModelFile.load(file));
  }

  @Test
  void loadsStackOfOneAsModel() throws IOException {
    ModelFile.saveAll(List.of(new Model(NETWORK, numbers(13, 1))), file);

    assertArrayEquals(numbers(13, 1), ModelFile.load(file).parameters());
  }

  @Test
  void readsFilesWithoutMetadataByTheirShapes() throws IOException {
    // In any order.
    write(
        Map.of(),
        tensor("fc2.bias", 1), tensor("fc1.bias", 3), tensor("fc2.weight", 1, 3), tensor("fc1.weight", 3, 2));

    Model model = ModelFile.load(file);
    assertEquals(Network.of(2, 3, 1), model.network());
    assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6, 1, 2, 3, 1, 2, 3, 1}, model.parameters());
    assertEquals(Optional.empty(), model.standardizer());
    assertEquals(List.of(), model.inputNames());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "fc1.weight 3 2                                 | tensor 'fc1.bias' is missing",
        "fc1.bias 3                                     | tensor 'fc1.weight' is missing",
        "fc1.weight 3 2, fc1.bias 3, fc3.weight 1 3, fc3.bias 1 | tensor 'fc2.weight' is missing",
        "fc2.weight 3 2, fc2.bias 3                     | tensor 'fc1.weight' is missing",
        "fc999999999.weight 3 2                         | tensor 'fc1.weight' is missing",
        "fc1.weight 6, fc1.bias 3                       | tensor 'fc1.weight' has shape [6]",
        "fc1.weight 1 1 3 2, fc1.bias 3                 | tensor 'fc1.weight' has shape [1, 1, 3, 2]",
        "fc1.weight 0 2, fc1.bias 0                     | tensor 'fc1.weight' has shape [0, 2]",
        "fc1.weight 3 2, fc1.bias 2                     | tensor 'fc1.bias' has shape [2] where [3] is needed",
        "fc1.weight 3 2, fc1.bias 3 1                   | tensor 'fc1.bias' has shape [3, 1] where [3] is needed",
        "fc1.weight 3 2, fc1.bias 3, fc2.weight 1 4, fc2.bias 1 | tensor 'fc2.weight' has shape [1, 4] where [1, 3]",
        "fc1.weight 3 2, fc1.bias 3, fc2.weight 1 1 3, fc2.bias 1 | tensor 'fc2.weight' has shape [1, 1, 3] where",
        "fc1.weight 2 3 2, fc1.bias 3 3                 | tensor 'fc1.bias' has shape [3, 3] where [2, 3] is needed",
        "fc1.weight 3 2, fc1.bias 3, extra 1            | tensor 'extra' is not of a model",
        "fc01.weight 3 2, fc01.bias 3                   | tensor 'fc01.weight' is not of a model",
        "fc0.weight 3 2, fc0.bias 3                     | tensor 'fc0.weight' is not of a model",
        "conv.weight 3 2                                | tensor 'conv.weight' is not of a model",
      })
  void refusesTensors(String tensors, String problem) throws IOException {
    write(
        Map.of(),
        Arrays.stream(tensors.split(","))
            .map(text -> text.strip().split(" "))
            .map(t -> tensor(t[0], Arrays.stream(t).skip(1).mapToLong(Long::parseLong).toArray()))
            .toArray(Tensor[]::new));

    assertRefused(problem, () -> ModelFile.load(file));
  }

  @Test
  void refusesFileWithoutTensors() throws IOException {
    write(Map.of());
    assertRefused("tensor 'fc1.weight' is missing", () -> ModelFile.load(file));
  }

  @Test
  void refusesWeightsThatAreNotFinite() throws IOException {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      Tensor bias = tensor("fc1.bias", 3);
      bias.data().put(1, bad);
      write(Map.of(), tensor("fc1.weight", 3, 2), bias);
      assertRefused("tensor 'fc1.bias' holds " + bad + " at element 1; ", () -> ModelFile.load(file));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "ringstep.activation=gelu                 | metadata ringstep.activation: no activation is called 'gelu'",
        "ringstep.x_mean=[1 2]                    | metadata ringstep.x_mean: must be a JSON array of numbers",
        "ringstep.x_mean=[1,null]                 | metadata ringstep.x_mean: must be a JSON array of numbers",
        "ringstep.x_mean=null                     | metadata ringstep.x_mean: must be a JSON array of numbers",
        "ringstep.x_mean=[1,2]                    | metadata ringstep.x_scale: must be a JSON array of numbers",
        "ringstep.inputs={}                       | metadata ringstep.inputs: must be a JSON array of strings",
        "ringstep.inputs=[\"a\"]                  | does not fit together: input names: 1 where 2 are needed",
        "ringstep.targets=[\"a\",\"b\"]           | does not fit together: target names: 2 where 3 are needed",
      })
  void refusesMetadata(String entry, String problem) throws IOException {
    String[] pair = entry.strip().split("=", 2);
    write(Map.of(pair[0], pair[1]), tensor("fc1.weight", 3, 2), tensor("fc1.bias", 3));

    assertRefused(problem, () -> ModelFile.load(file));
  }

  @Test
  void refusesStandardizerOfOtherWidthsOrWithoutScale() throws IOException {
    Tensor[] tensors = {tensor("fc1.weight", 3, 2), tensor("fc1.bias", 3)};
    write(standardizer("[0]", "[1]"), tensors);
    assertRefused("does not fit together: standardizer inputs: 1 where 2 are needed", () -> ModelFile.load(file));
    write(standardizer("[0,0]", "[1,0]"), tensors);
    assertRefused("metadata: x scale must be finite and above 0", () -> ModelFile.load(file));
    write(standardizer("[0,0]", "[1,1e999]"), tensors);
    assertRefused("metadata: x scale must be finite and above 0", () -> ModelFile.load(file));
  }

  @Test
  void multipliesBytesWithTheScaleOfTheirRow() throws IOException {
    write(Map.of(), bytes("fc1.weight", 3, 2), tensor("fc1.weight_scale", 3), tensor("fc1.bias", 3));

    Model model = ModelFile.load(file);

    assertArrayEquals(new float[] {1, 2, 6, 8, 15, 18, 1, 2, 3}, model.parameters());
    assertEquals(Encoding.FLOAT32, model.encoding(), "scales that are not ours cannot be written again");
  }

  @Test
  void refusesBytesWithoutFittingScales() throws IOException {
    write(Map.of(), bytes("fc1.weight", 3, 2), tensor("fc1.bias", 3));
    assertRefused(
        "tensor 'fc1.weight' is of whole numbers (I8), but no tensor 'fc1.weight_scale' scales them",
        () -> ModelFile.load(file));
    write(Map.of(), bytes("fc1.weight", 3, 2), tensor("fc1.weight_scale", 2), tensor("fc1.bias", 3));
    assertRefused(
        "tensor 'fc1.weight_scale' has shape [2] where [3] is needed", () -> ModelFile.load(file));
    write(Map.of(), tensor("fc1.weight", 3, 2), tensor("fc1.weight_scale", 3), tensor("fc1.bias", 3));
    assertRefused(
        "tensor 'fc1.weight_scale' scales 'fc1.weight', which is not of whole numbers (I8)",
        () -> ModelFile.load(file));
  }

  private static Tensor bytes(String name, long... shape) {
    return new Tensor(name, shape, tensor(name, shape).data(), ElementType.I8);
  }

  private void assertRefused(String problem, Runnable load) {
    InvalidDataException refusal = assertThrows(InvalidDataException.class, load::run);
    assertEquals(file, refusal.file());
    assertTrue(refusal.getMessage().startsWith(file + ": " + problem), refusal.getMessage());
  }

  private void write(Map<String, String> metadata, Tensor... tensors) throws IOException {
    SafetensorsFile.write(file, List.of(tensors), metadata);
  }

  private static Map<String, String> standardizer(String xMean, String xScale) {
    return Map.of(
        "ringstep.x_mean", xMean, "ringstep.x_scale", xScale,
        "ringstep.y_mean", "[0,0,0]", "ringstep.y_scale", "[1,1,1]");
  }

  /** Its elements are 1, 2, 3, … */
  private static Tensor tensor(String name, long... shape) {
    int count = (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    FloatBuffer data =
        ByteBuffer.allocateDirect(count * Float.BYTES).order(ByteOrder.nativeOrder()).asFloatBuffer();
    return new Tensor(name, shape, data.put(numbers(count, 1)).flip());
  }

  private static float[] numbers(int count, int first) {
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = first + i;
    }
    return numbers;
  }
}
