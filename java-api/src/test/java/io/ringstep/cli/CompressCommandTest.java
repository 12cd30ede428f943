package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.Encoding;
import io.ringstep.Model;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CompressCommandTest {
  private static final Path DIABETES = Path.of("src/main/resources/io/ringstep/cli/diabetes.csv");

  @TempDir Path folder;

  private Path trained(Object... more) {
    Path model = folder.resolve("full.safetensors");
    Object[] args = {"train", "--quiet", "--save", model};
    Object[] all = Stream.of(args, more).flatMap(Stream::of).toArray();
    Cli.Result result = Cli.run(all);
    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    return model;
  }

  @ParameterizedTest
  @CsvSource({"int8, 0.01", "float16, 0.0001", "bfloat16, 0.01"})
  void losesLittleOfTheDiabetesModelsR2(String encoding, double most) {
    Path small = folder.resolve("small.safetensors");
    Cli.Result result =
        Cli.run("compress", "--model", trained(), "--to", encoding, "--data", DIABETES, "--save", small);
    assertEquals(ExitCode.DONE, result.exitCode(), result.err());

    Matcher r2 = Pattern.compile("R2 ([0-9.]+), full model ([0-9.]+)").matcher(result.out());
    assertTrue(r2.find(), result.out());
    double after = Double.parseDouble(r2.group(1));
    double before = Double.parseDouble(r2.group(2));
    assertEquals(0.51775, before, 1e-5, "the least-squares R2 of this table");
    assertTrue(after > before * (1 - most), result.out());
    assertEquals(encoding, Model.load(small).encoding().name().toLowerCase());
  }

  @Test
  void aPrunedQuantisedFilePredictsAsItSays() throws Exception {
    Path full = trained();
    Path small = folder.resolve("small.safetensors");
    Cli.Result result =
        Cli.run("compress", "--model", full, "--to", "int8", "--prune", "0.25", "--save", small);
    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    assertTrue(result.out().contains(" of 241 weights and biases are not 0"), result.out());

    Path viaApi = folder.resolve("api.safetensors");
    Model.load(full).pruned(0.25).compressed(Encoding.INT8).save(viaApi);
    assertEquals(-1, Files.mismatch(small, viaApi));
    String one = Cli.run("predict", "--model", small, "--data", DIABETES).out();
    assertEquals(one, Cli.run("predict", "--model", viaApi, "--data", DIABETES).out());
    assertFalse(one.equals(Cli.run("predict", "--model", full, "--data", DIABETES).out()));
  }

  @Test
  void compressesStackedModels() {
    Path full = trained("--models", 3, "--epochs", 5);
    Path small = folder.resolve("small.safetensors");
    Cli.Result result =
        Cli.run("compress", "--model", full, "--to", "bfloat16", "--data", DIABETES, "--save", small);
    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    assertTrue(result.out().contains("of 723 weights"), result.out());
    assertEquals(ExitCode.DONE, Cli.run("predict", "--model", small, "--data", DIABETES).exitCode());
  }

  @Test
  void saysWhatIsWrongInOneLine() {
    Path full = trained("--epochs", 1);
    Path small = folder.resolve("small.safetensors");
    refuses("nothing to do; give --to float16, bfloat16 or int8, or --prune", "--model", full, "--save", small);
    refuses("--prune must be from 0 to 1, but is 1.5", "--model", full, "--prune", "1.5", "--save", small);
    refuses("--save would overwrite", "--model", full, "--to", "int8", "--save", full);
    refuses("'int4' is none of float32, float16, bfloat16, int8", "--model", full, "--to", "int4", "--save", small);
    refuses("--target names columns of --data", "--model", full, "--to", "int8", "--target", "a", "--save", small);
    refuses("no-such", "--model", folder.resolve("no-such"), "--to", "int8", "--save", small);
    assertFalse(Files.exists(small));
  }

  private static void refuses(String problem, Object... args) {
    Object[] all =
        Stream.concat(Stream.of("compress"), Stream.of(args)).toArray();
    Cli.Result result = Cli.run(all);
    assertEquals(ExitCode.INVALID, result.exitCode(), result.err());
    assertTrue(result.err().contains(problem), result.err());
    assertEquals(1, result.err().lines().count(), result.err());
  }
}
