package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The first program of the README compiles, runs, and is as short as it should be. */
class FirstProgramTest {
  private static final Path README = Path.of("..", "README.md");
  private static final Pattern JAVA_BLOCK =
      Pattern.compile("^```java\\n(.*?)^```$", Pattern.DOTALL | Pattern.MULTILINE);
  private static final int MOST_LINES = 15;

  @TempDir Path folder;

  @Test
  void itHasAtMost15Lines() throws IOException {
    long lines = program().lines().count();
    assertTrue(lines <= MOST_LINES, () -> "it has " + lines + " lines");
  }

  @Test
  void itCompilesAndRuns() throws Exception {
    Path source = Files.writeString(folder.resolve("First.java"), program());
    compile(source);
    String printed = new ChildJvm(folder).alsoOnClassPath(folder).run("First");
    assertFalse(printed.isBlank());
  }

  private static String program() throws IOException {
    return JAVA_BLOCK
        .matcher(Files.readString(README))
        .results()
        .map(block -> block.group(1))
        .filter(block -> block.contains("class First "))
        .findFirst()
        .orElseThrow(() -> new AssertionError("README.md has no ```java block with class First"));
  }

  private void compile(Path source) {
    ByteArrayOutputStream messages = new ByteArrayOutputStream();
    int failures =
        ToolProvider.getSystemJavaCompiler()
            .run(
                null, messages, messages,
                "-cp", System.getProperty("java.class.path"), "-d", folder.toString(), source.toString());
    assertEquals(0, failures, () -> messages.toString(StandardCharsets.UTF_8));
  }
}
