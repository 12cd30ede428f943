package io.ringstep.cli;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Runs the command line, within this process or in one of its own. */
final class Cli {
  private Cli() {}

  /** How a call ended, and what it printed. */
  record Result(int exitCode, String out, String err) {
    JsonObject json() {
      return JsonParser.parseString(out).getAsJsonObject();
    }
  }

  static Result run(Object... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    PrintStream errors = new PrintStream(err, true, StandardCharsets.UTF_8);
    String[] words = Arrays.stream(args).map(Object::toString).toArray(String[]::new);
    int exitCode = Main.run(new Console(out, errors), words);
    return new Result(
        exitCode, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  /** A command to start in a process of its own, in which SIGINT is heard even if it is not here. */
  static ProcessBuilder process(Object... args) {
    List<String> command =
        new ArrayList<>(
            List.of(
                "env", "--default-signal=INT",
                System.getProperty("java.home") + "/bin/java",
                "-cp", System.getProperty("java.class.path"),
                Main.class.getName()));
    Arrays.stream(args).map(Object::toString).forEach(command::add);
    return new ProcessBuilder(command);
  }

  static String text(InputStream stream) throws IOException {
    return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
  }
}
