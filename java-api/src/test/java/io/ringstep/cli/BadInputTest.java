package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever is wrong with a call or its files: exit 2, one line that says what, and nothing written. */
class BadInputTest {
  @TempDir Path folder;

  private Path good;
  private Path out;

  @BeforeEach
  void makeGoodFile() throws IOException {
    good = Samples.csv(folder);
    out = folder.resolve("out.safetensors");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "a,price\\n1,2\\n3,abc\\n            | :3:2: 'abc' is not a number; .+",
        "a,price\\n1,2\\n3\\n                | :3:2: .*1 cell.*; .+",
        "a,price\\n1,2\\n3,4,5\\n            | :3:3: .*3 cells.*; .+",
        "a,price\\n1,nan\\n                  | :2:2: 'nan'.*; .+",
        "a,price\\n1,2\\n-inf,2\\n           | :3:1: '-inf'.*; .+",
        "a,price\\n1,1e99\\n                 | :2:2: '1e99'.*; .+",
        "a,price\\n                          | .*no rows.*; .+",
        "a,cost\\n1,2\\n                     | .*no column 'price'.*",
        "price\\n1\\n                        | .* too few .*",
      })
  void refusesCsv(String text, String problem) throws IOException {
    Path file = Files.writeString(folder.resolve("bad.csv"), text.strip().replace("\\n", "\n"));
    refuses(file + ":? ?" + problem.strip(), "--data", file, "--target", "price");
  }

  @Test
  void refusesMissingFile() throws IOException {
    refuses(".*none.csv: no such file; .+", "--data", folder.resolve("none.csv"));
    Path model = folder.resolve("none.safetensors");
    refuses(model + ": no such file; .+", "--data", good, "--init", model);
  }

  @Test
  void refusesEmptyFile() throws IOException {
    Path csv = Files.createFile(folder.resolve("empty.csv"));
    Path model = Files.createFile(folder.resolve("empty.safetensors"));
    refuses(csv + ": is empty; .+", "--data", csv);
    refuses(model + ": is empty; .+", "--data", good, "--init", model);
  }

  @Test
  void refusesDirectory() throws IOException {
    refuses(folder + ": is a directory; .+", "--data", folder);
    refuses(folder + ": is a directory; .+", "--data", good, "--init", folder);
  }

  @Test
  void refusesWrongFeatureCount() throws IOException {
    refuses(
        good + " has 3 inputs and 1 target, but network 10,20,1 takes 10 and gives 1; use --network 3,20,1, .+",
        "--data", good, "--network", "10,20,1");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'x':{'dtype':'F32','shape':[2,1],'data_offsets':[0,8]},'y':{'dtype':'F32','shape':[2,1],'data_offsets':[8,16]}}",
        "{'x':{'dtype':'F32','shape':[-2,1],'data_offsets':[0,8]}}",
        "{'x':{'dtype':'F32','shape':[2,1],'data_offsets':[-8,0]}}",
        "{'x':{'dtype':'F32','shape':[2,1],'data_offsets':[0,8]},'y':{'dtype':'F32','shape':[1,1],'data_offsets':[4,8]}}",
        "{'x':{'dtype':'F32','shape':[9223372036854775807,9223372036854775807],'data_offsets':[0,8]}}",
        "{'x':{'dtype':'F32','shape':[99999999999999999999],'data_offsets':[0,8]}}",
        "{'x':{'dtype':'F32','shape':[2,1],'data_offsets':[0,99999999999999999999]}}",
        "{'x':{'dtype':'F32','shape':[2,1]",
        "[]",
      })
  void refusesSafetensorsThatLies(String header) throws IOException {
    // The first one would be fine, were it not truncated.
    Path file = Samples.safetensors(folder.resolve("bad.safetensors"), header.replace('\'', '"'), 8);
    refuses(file + ": .+", "--data", file, "--network", "1,1");
    refuses(file + ": .+", "--data", good, "--init", file);
  }

  @Test
  void refusesSafetensorsWhoseHeaderIsTooLong() throws IOException {
    for (long length : new long[] {-1, Long.MAX_VALUE, 1L << 40, 1000}) {
      byte[] bytes = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(length).array();
      Path file = Files.write(folder.resolve("bad.safetensors"), bytes);
      refuses(file + ": .+; .+|" + file + ": .+ where .+", "--data", file);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"|O", "<c8", "<U4", "<M8[s]"})
  void refusesNpyOfWrongType(String descr) throws IOException {
    Path file = Samples.npy(folder.resolve("bad.npy"), descr, "(2, 4)", 64);
    refuses(file + ": has dtype '.+; save it with .+", "--data", file);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--batch 0           | --batch must be at least 1, but is 0",
        "--epochs 0          | --epochs must be at least 1, but is 0",
        "--models 0          | --models must be at least 1, but is 0",
        "--lr -1             | --lr must be a finite number of at least 0, but is -1.0",
        "--lr NaN            | --lr must be a finite number of at least 0, but is NaN",
        "--lr nan            | .*--lr.*'nan' is not a number; see 'ringstep train --help'",
        "--lr 1e999          | --lr must be a finite number of at least 0, but is Infinity",
        "--lr 1e39           | --lr must be a finite number of at least 0, but is Infinity",
        "--momentum -0.5     | --momentum must be a finite number of at least 0, but is -0.5",
        "--weight-decay inf  | .*--weight-decay.*'inf' is not a number; .+",
        "--network 10,0,1    | .*--network.*10,0,1: every size must be at least 1; .+",
        "--network 10,5000000,1 | .*--network.*every size must be at most 4194304; .+",
        "--network 10        | .*--network.*at least two sizes.*",
        "--network a,b       | .*--network.*'a' is not a width; give whole numbers, as in 10,20,1; .+",
        "--network 10,,1     | .*--network.*'' is not a width; .+",
        "--network 60000,60000 | .*--network.*more than 2147483647 parameters; .+",
        "--epochs 1.5        | .*--epochs.*'1.5' is not a whole number; .+",
        "--epochs 3000000000 | .*--epochs.*'3000000000' is not a whole number.*",
        "--seed 99999999999999999999 | .*--seed.*not a whole number of 64 bits; .+",
        "--activation gelu   | .*--activation.*'gelu' is none of identity, relu, tanh, sigmoid; .+",
        "--optimizer lion    | .*--optimizer.*'lion' is none of sgd, adam, adamw; .+",
        "--device cuda:1000  | device cuda:1000: .+",
        "--device cpu --tf32 | --tf32 is for a GPU's tensor cores; use it with --device cuda",
        "--collapse --activation tanh | --collapse needs a network without activations and dropout; leave it out, or those",
        "--collapse --models 2 | --collapse is for one model; it goes with none of --models, --folds and --group-by",
        "--device tpu        | .*--device.*no device 'tpu'; use auto, cpu, cuda, cuda:N or cuda:0,1; .+",
        "--nesterov          | --nesterov needs a momentum; .+",
        "--optimizer adam --momentum 0.9 | --momentum is for sgd, adam has its own; .+",
        "--optimizer adamw --nesterov    | --nesterov is for sgd's momentum, adamw has its own; .+",
        "--target price,price            | --target price,price names a column twice; .+",
        "--target a,,price               | --target has an empty name; .+",
        "--target a,price --network 2,1  | --target names 2 columns, but --network 2,1 gives 1 output; .+",
        "--models 2 --init a,b,c         | --init names 3 files for --models 2; .+",
        "--init a,b                      | --init names 2 files for --models 1; name one",
        "--epoch 3                       | Unknown options: '--epoch', '3'; did you mean --epochs\\? see .+",
        "--epochs                        | Missing required parameter for option '--epochs'.*; see .+",
        "--lr 1 --lr 2                   | option '--lr' is given twice; give it once; see .+",
        "--shuffle --seed 3 --no-shuffle | option '--shuffle' is given twice; give it once; see .+",
      })
  void refusesOption(String options, String problem) throws IOException {
    List<Object> args = new ArrayList<>(List.of("--data", good));
    args.addAll(Arrays.asList(options.strip().split(" +")));
    refuses(problem.strip(), args.toArray());
  }

  @Test
  void refusesOutputThatCannotBeWritten() throws IOException {
    Path nowhere = folder.resolve("nowhere");
    refusesCall(
        nowhere + "/m.safetensors: " + nowhere + " is not a directory; create it first",
        "train", "--data", good, "--save", nowhere.resolve("m.safetensors"));
    refusesCall(folder + ": is a directory; .+", "train", "--data", good, "--save", folder);
    refusesCall(
        good + "/m.safetensors: .+ is not a directory; .+",
        "train", "--data", good, "--save", good.resolve("m.safetensors"));
    refusesCall(
        "--save would overwrite --data .+; name another file", "train", "--data", good, "--save", good);
    refusesCall(
        "--save names a file twice; name each once", "train", "--models", 2, "--save", out + "," + out);
  }

  @Test
  void refusesPredictionsThatCannotBeMade() throws IOException {
    Path model = folder.resolve("model.safetensors");
    Cli.run("train", "--data", good, "--epochs", 1, "--quiet", "--save", model);
    Path other = Files.writeString(folder.resolve("other.csv"), "a,b,d\n1,2,3\n");
    Path csv = folder.resolve("out.csv");

    refusesCall("Missing required option: '--data=FILE'; see .+", "predict", "--model", model);
    refusesCall(".+none: no such file; .+", "predict", "--model", folder.resolve("none"), "--data", good);
    refusesCall(other + ": .*no column 'c'.*", "predict", "--model", model, "--data", other, "--out", csv);
    refusesCall(".+ would overwrite .+", "predict", "--model", model, "--data", good, "--out", good);
    refusesCall(folder + ": is a directory; .+", "predict", "--model", model, "--data", good, "--out", folder);
    refusesCall(good + ": is not a \\.safetensors file: .+", "predict", "--model", good, "--data", good);
  }

  @Test
  void refusesCommand() throws IOException {
    assertOneLine("ringstep: name a command; 'ringstep --help' lists them", Cli.run());
    assertOneLine("ringstep: .*'trian'; did you mean train.*\\? see 'ringstep --help'", Cli.run("trian"));
  }

  @Test
  void keepsToOneLineWhateverTheNames() throws IOException {
    assertOneLine("ringstep train: .*", Cli.run("train", "--data", "no\nsuch\u001b[31mfile"));
    assertOneLine("ringstep train: .*", Cli.run("train", "--no\nsuch"));
  }

  @Test
  void showsStackTraceOnRequest() {
    for (List<Object> args :
        List.<List<Object>>of(
            List.of("--verbose", "train", "--batch", 0),
            List.of("train", "--batch", 0, "--verbose"),
            List.of("train", "--lr", "x", "--verbose"))) {
      Cli.Result result = Cli.run(args.toArray());
      assertEquals(ExitCode.INVALID, result.exitCode());
      assertTrue(result.err().contains("\n\tat io.ringstep.cli."), result.err());
    }
  }

  private void refuses(String problem, Object... options) throws IOException {
    List<Object> args = new ArrayList<>(List.of("train", "--save", out));
    args.addAll(List.of(options));
    refusesCall(problem, args.toArray());
  }

  private void refusesCall(String problem, Object... args) throws IOException {
    List<Path> before = files();
    Cli.Result result = Cli.run(args);
    assertOneLine("ringstep " + args[0] + ": (" + problem + ")", result);
    assertEquals(before, files());
  }

  private static void assertOneLine(String pattern, Cli.Result result) {
    assertAll(
        () -> assertEquals(ExitCode.INVALID, result.exitCode()),
        () -> assertEquals("", result.out()),
        () -> assertTrue(result.err().matches(pattern + "\n"), result.err() + "does not match " + pattern));
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.sorted().toList();
    }
  }
}
