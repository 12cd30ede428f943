package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command line's charts and reports, with the module that draws them. */
class PlotOptionsTest {
  @TempDir Path folder;

  private static String run(int exitCode, Object... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    PrintStream err = new PrintStream(out, true, StandardCharsets.UTF_8);
    String[] words = Arrays.stream(args).map(Object::toString).toArray(String[]::new);
    int code = Main.run(new Console(out, err), words);
    String text = out.toString(StandardCharsets.UTF_8);
    assertEquals(exitCode, code, text);
    return text;
  }

  @Test
  void trainDrawsItsLosses() throws IOException {
    Path svg = folder.resolve("loss.svg");
    run(ExitCode.DONE, "train", "--quiet", "--epochs", 20, "--plot", svg);
    assertTrue(Files.readString(svg).contains("<svg"));
    Path png = folder.resolve("loss.png");
    run(ExitCode.DONE, "train", "--quiet", "--epochs", 20, "--models", 9, "--plot", png);
    assertEquals(800, ImageIO.read(png.toFile()).getWidth());
  }

  @Test
  void trainReportsOnOnePage() throws IOException {
    Path page = folder.resolve("run.html");
    run(ExitCode.DONE, "train", "--quiet", "--epochs", 20, "--models", 2, "--report", page);
    String html = Files.readString(page);
    for (String part : new String[] {"10,20,1, identity", "442 rows", "least-squares optimum", "<svg", "<td>1</td>"}) {
      assertTrue(html.contains(part), part);
    }
    assertEquals(2, html.split("<svg", -1).length - 1, "losses, and predictions against truth");
  }

  @Test
  void refusesOtherFormatsBeforeTraining() {
    Path pdf = folder.resolve("loss.pdf");
    String line = run(ExitCode.INVALID, "train", "--plot", pdf);
    assertTrue(line.contains("name a file that ends in .svg or .png") && line.lines().count() == 1, line);
    assertFalse(Files.exists(pdf));
  }
}
