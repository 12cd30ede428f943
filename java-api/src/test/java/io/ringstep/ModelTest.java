package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A model's parts, its file, and its answers. */
class ModelTest {
  private static final Network NETWORK = Network.of(2, 3, 1).withActivation(Activation.RELU);
  private static final float[] PARAMETERS = Rows.normal(new Random(1), NETWORK.parameterCount());
  private static final Standardizer STANDARDIZER =
      new Standardizer(
          new double[] {0.1, -1e300}, new double[] {1e-300, 3}, new double[] {1 / 3.0}, new double[] {7});

  @TempDir Path folder;

  // ---- files ----

  @Test
  void aFileHoldsTheWholeModel() throws IOException {
    Model model =
        new Model(NETWORK, PARAMETERS, STANDARDIZER, List.of("a \"quoted\" name", "größe"), List.of("target"));
    assertSame(model, saveAndLoad(model));
  }

  @ParameterizedTest
  @EnumSource
  void aFileHoldsTheActivation(Activation activation) throws IOException {
    Model model = new Model(NETWORK.withActivation(activation), PARAMETERS);
    assertSame(model, saveAndLoad(model));
  }

  private Model saveAndLoad(Model model) throws IOException {
    Path file = folder.resolve("model.safetensors");
    model.save(file);
    return Model.load(file);
  }

  private static void assertSame(Model expected, Model actual) {
    assertEquals(expected.network(), actual.network());
    Bits.assertSame(expected.parameters(), actual.parameters(), "parameters");
    assertEquals(expected.standardizer(), actual.standardizer());
    assertEquals(expected.inputNames(), actual.inputNames());
    assertEquals(expected.targetNames(), actual.targetNames());
  }

  /** As {@code safetensors.torch.save_file} writes it: no metadata, tensors in any order. */
  @Test
  void aFileOfPyTorchIsReadAsItIs() throws IOException {
    String header =
        """
        {"fc1.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},\
        "fc1.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[4,12]}}""";
    Model model = Model.load(safetensors(header, 1, 2, 3));
    assertSame(new Model(Network.of(2, 1), new float[] {2, 3, 1}), model);
  }

  private Path safetensors(String header, float... data) throws IOException {
    byte[] text = header.getBytes(StandardCharsets.US_ASCII);
    ByteBuffer file =
        ByteBuffer.allocate(8 + text.length + 4 * data.length).order(ByteOrder.LITTLE_ENDIAN);
    file.putLong(text.length).put(text).asFloatBuffer().put(data);
    return Files.write(folder.resolve("torch.safetensors"), file.array());
  }

  @Test
  void aFileThatIsNotThereIsNamed() {
    Path file = folder.resolve("none.safetensors");
    assertEquals(file, assertThrows(InvalidDataException.class, () -> Model.load(file)).file());
  }

  // ---- answers ----

  @Test
  void predictionsAgreeWithFloat64() {
    float[] x = Rows.random(2, 5, NETWORK).x();
    double[] expected = new Float64Reference(NETWORK, PARAMETERS).predict(x);
    float[] actual = new Model(NETWORK, PARAMETERS).predict(x);
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], actual[i], 1e-6, "answer " + i);
    }
  }

  @Test
  void predictionsTakeAndGiveOwnUnits() {
    Standardizer standardizer =
        new Standardizer(new double[] {10}, new double[] {2}, new double[] {1000}, new double[] {100});
    float[] identity = {1, 0};
    Model model = new Model(Network.of(1, 1), identity, standardizer, List.of(), List.of());
    float[] x = {10, 12, 6};
    assertArrayEquals(new float[] {1000, 1100, 800}, model.predict(x));
    assertArrayEquals(new float[] {10, 12, 6}, x, "x stays as it is");
  }

  @Test
  void noRowsGiveNoAnswers() {
    assertEquals(0, new Model(NETWORK, PARAMETERS).predict(new float[0]).length);
  }

  @Test
  void partsOfRowsAreRefused() {
    Model model = new Model(NETWORK, PARAMETERS);
    assertThrows(IllegalArgumentException.class, () -> model.predict(new float[3]));
  }

  // ---- parts ----

  @Test
  void aModelIsImmutable() {
    float[] parameters = PARAMETERS.clone();
    Model model = new Model(NETWORK, parameters);
    parameters[0] = 99;
    model.parameters()[1] = 99;
    Bits.assertSame(PARAMETERS, model.parameters(), "parameters");
  }

  @Test
  void anotherActivationChangesNothingElse() {
    Model model = new Model(NETWORK, PARAMETERS, STANDARDIZER, List.of("a", "b"), List.of("c"));
    Model changed = model.withActivation(Activation.TANH);
    assertEquals(Activation.TANH, changed.network().activation());
    assertSame(model, changed.withActivation(Activation.RELU));
  }

  @Test
  void partsThatDoNotFitAreRefused() {
    assertRefused("parameters: 12 where 13 are needed", () -> new Model(NETWORK, new float[12]));
    assertRefused(
        "input names: 1 where 2 are needed", () -> new Model(NETWORK, PARAMETERS, null, List.of("a"), List.of()));
    assertRefused(
        "target names: 2 where 1 are needed",
        () -> new Model(NETWORK, PARAMETERS, null, List.of(), List.of("a", "b")));
    assertRefused(
        "standardizer inputs: 2 where 1 are needed",
        () -> new Model(Network.of(1, 1), new float[2], STANDARDIZER, List.of(), List.of()));
  }

  private static void assertRefused(String message, Executable call) {
    var e = assertThrows(IllegalArgumentException.class, call);
    assertTrue(e.getMessage().startsWith(message), e.getMessage());
  }
}
