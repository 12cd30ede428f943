package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.Model;
import io.ringstep.Network;
import io.ringstep.internal.ModelFile;
import io.ringstep.internal.files.NpyFile;
import io.ringstep.internal.files.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PredictCommandTest {
  @TempDir Path folder;

  private Path data;
  private Path model;

  @BeforeEach
  void train() throws IOException {
    data = Samples.csv(folder);
    model = folder.resolve("model.safetensors");
    Cli.Result result =
        Cli.run(
            "train", "--data", data, "--standardize", "--lr", 0.05, "--activation", "tanh", "--quiet",
            "--save", model);
    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
  }

  @Test
  void writesWhatTheApiPredictsToTheLastBit() throws IOException {
    Path out = folder.resolve("out.csv");
    Cli.Result result = predict("--data", data, "--out", out);

    assertEquals("", result.out() + result.err());
    assertEquals("price", Files.readAllLines(out).get(0));
    assertArrayEquals(expected(), column(Files.readString(out), 0));
    assertEquals(Files.readString(out), predict("--data", data).out());
  }

  @Test
  void findsInputsByName() throws IOException {
    Path shuffled = folder.resolve("shuffled.csv");
    List<String> lines =
        Files.readAllLines(data).stream()
            .map(line -> line.split(","))
            .map(cells -> cells[2] + "," + cells[3] + "," + cells[0] + "," + cells[1])
            .toList();
    Files.write(shuffled, lines);

    assertArrayEquals(expected(), column(predict("--data", shuffled).out(), 0));
  }

  @Test
  void writesNpyByExtension() throws IOException {
    Path out = folder.resolve("out.npy");
    predict("--data", data, "--out", out);

    Tensor tensor = NpyFile.read(out);
    assertArrayEquals(new long[] {60, 1}, tensor.shape());
    float[] values = new float[60];
    tensor.data().get(values);
    assertArrayEquals(expected(), values);
  }

  @Test
  void writesColumnForEveryModelAndTarget() throws IOException {
    Network network = Network.of(3, 2);
    float[] ones = {1, 0, 0, 0, 1, 0, 0, 0};
    float[] twos = {2, 0, 0, 0, 2, 0, 0, 0.5f};
    Path stack = folder.resolve("stack.safetensors");
    Path rows = Files.writeString(folder.resolve("rows.csv"), "a,b,c\n1,10,5\n2,20,6\n");

    ModelFile.saveAll(List.of(new Model(network, ones), new Model(network, twos)), stack);
    assertEquals(
        "y1_0,y2_0,y1_1,y2_1\n1.0,10.0,2.0,20.5\n2.0,20.0,4.0,40.5\n",
        Cli.run("predict", "--model", stack, "--data", rows).out());

    List<String> targets = List.of("to, \"y\"", "z");
    new Model(network, ones, null, List.of(), targets).save(stack);
    assertEquals(
        "\"to, \"\"y\"\"\",z\n1.0,10.0\n2.0,20.0\n",
        Cli.run("predict", "--model", stack, "--data", rows).out());
  }

  @Test
  void predictsMoreRowsThanOneBlockHolds() throws IOException {
    int rows = 100_000;
    StringBuilder text = new StringBuilder("x\n");
    for (int row = 0; row < rows; row++) {
      text.append(row).append('\n');
    }
    Path many = Files.writeString(folder.resolve("many.csv"), text);
    new Model(Network.of(1, 1), new float[] {2, 1}).save(model);

    float[] y = column(predict("--data", many).out(), 0);

    assertEquals(rows, y.length);
    for (int row = 0; row < rows; row++) {
      assertEquals(2 * row + 1, y[row]);
    }
  }

  @Test
  void readsModelsOfPyTorch() throws Exception {
    GoldenCase golden = GoldenCase.of("seed-batch1");
    Cli.Result result =
        Cli.run(
            "predict", "--model", golden.file("expected.safetensors"),
            "--data", golden.file("data.safetensors"));

    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    assertEquals(1001, result.out().lines().count());
    assertTrue(result.out().startsWith("y\n"));
  }

  private Cli.Result predict(Object... options) {
    Cli.Result result =
        Cli.run(Stream.concat(Stream.of("predict", "--model", model), Stream.of(options)).toArray());
    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    return result;
  }

  private float[] expected() throws IOException {
    String text = Files.readString(data);
    float[][] columns = {column(text, 0), column(text, 1), column(text, 2)};
    float[] x = new float[3 * columns[0].length];
    for (int i = 0; i < x.length; i++) {
      x[i] = columns[i % 3][i / 3];
    }
    return Model.load(model).predict(x);
  }

  private static float[] column(String csv, int index) {
    List<Float> values =
        csv.lines().skip(1).map(line -> Float.valueOf(line.split(",")[index])).toList();
    float[] column = new float[values.size()];
    for (int i = 0; i < column.length; i++) {
      column[i] = values.get(i);
    }
    return column;
  }
}
