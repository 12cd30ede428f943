package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.ringstep.Model;
import io.ringstep.internal.ModelFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every golden case through {@code ringstep train}. */
class GoldenCommandTest {
  private static final double LOSS_TOLERANCE = 1e-5;

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "seed-batch1", "seed-batch32", "ragged-last-batch", "relu-momentum-decay", "tanh-deep-adam",
        "wide-relu-adamw", "sigmoid-nesterov"
      })
  void agreesWithPyTorch(String name) throws Exception {
    GoldenCase golden = GoldenCase.of(name);
    Path saved = folder.resolve("saved.safetensors");

    JsonObject report =
        train(golden, "--init", golden.file("init.safetensors"), "--save", saved);

    golden.assertAgrees(Model.load(golden.file("expected.safetensors")), Model.load(saved));
    assertLosses(golden.epochLosses(golden.stepLosses()), report.getAsJsonArray("losses"));
  }

  @Test
  void agreesWithPyTorchForTwoModelsInTwoFiles() throws Exception {
    GoldenCase golden = GoldenCase.of("seed-two-models");
    Path first = folder.resolve("0.safetensors");
    Path second = folder.resolve("1.safetensors");

    JsonObject report =
        train(
            golden, "--models", 2, "--save", first + "," + second,
            "--init", golden.file("init-0.safetensors") + "," + golden.file("init-1.safetensors"));

    golden.assertAgrees(Model.load(golden.file("expected-0.safetensors")), Model.load(first));
    golden.assertAgrees(Model.load(golden.file("expected-1.safetensors")), Model.load(second));
    for (int k = 0; k < 2; k++) {
      JsonObject model = report.getAsJsonArray("models").get(k).getAsJsonObject();
      assertLosses(
          golden.epochLosses(golden.stepLosses().get(k).getAsJsonArray()),
          model.getAsJsonArray("losses"));
    }
  }

  @Test
  void agreesWithPyTorchForTwoModelsStackedInOneFile() throws Exception {
    GoldenCase golden = GoldenCase.of("seed-two-models");
    Path init = folder.resolve("init.safetensors");
    Path saved = folder.resolve("saved.safetensors");
    ModelFile.saveAll(
        List.of(
            Model.load(golden.file("init-0.safetensors")), Model.load(golden.file("init-1.safetensors"))),
        init);

    train(golden, "--models", 2, "--init", init, "--save", saved);

    List<Model> models = ModelFile.loadAll(saved);
    assertEquals(2, models.size());
    golden.assertAgrees(Model.load(golden.file("expected-0.safetensors")), models.get(0));
    golden.assertAgrees(Model.load(golden.file("expected-1.safetensors")), models.get(1));
  }

  private static JsonObject train(GoldenCase golden, Object... more) {
    List<Object> command = new ArrayList<>(golden.command());
    command.addAll(List.of(more));
    Cli.Result result = Cli.run(command.toArray());
    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    assertEquals(golden.epochs(), result.json().get("epochs").getAsInt());
    return result.json();
  }

  private static void assertLosses(double[] expected, JsonArray actual) {
    assertEquals(expected.length, actual.size());
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], actual.get(i).getAsDouble(), LOSS_TOLERANCE * expected[i]);
    }
  }
}
