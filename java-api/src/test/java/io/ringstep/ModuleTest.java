package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.lang.reflect.Executable;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a user of the module can see. */
class ModuleTest {
  private static final List<String> INTERNAL =
      List.of("org.bytedeco", "io.ringstep.engine", "io.ringstep.internal", "com.google.gson", "de.siegmar");

  @Test
  void onlyTheApiIsExported() throws Exception {
    ModuleDescriptor module;
    try (InputStream descriptor = Files.newInputStream(classes().resolve("module-info.class"))) {
      module = ModuleDescriptor.read(descriptor);
    }
    assertEquals("io.ringstep", module.name());
    assertEquals(
        Set.of("io.ringstep", "io.ringstep.chart"),
        module.exports().stream().map(ModuleDescriptor.Exports::source).collect(Collectors.toSet()));
    assertTrue(module.opens().stream().allMatch(ModuleDescriptor.Opens::isQualified), "opened to all");
  }

  @Test
  void noSignatureOfTheApiNamesAnInternalType() throws Exception {
    List<String> signatures = publicClasses().stream().flatMap(ModuleTest::signatures).toList();
    assertTrue(signatures.stream().anyMatch(text -> text.contains("io.ringstep.Trainer.step(float[],float[])")));
    for (String signature : signatures) {
      assertFalse(INTERNAL.stream().anyMatch(signature::contains), signature);
    }
  }

  /** The engines' libraries lie in jars of their own, which are modules of their own there. */
  @Test
  void theEnginesAreFoundOnTheModulePath(@TempDir Path folder) throws Exception {
    String jars =
        Stream.of(System.getProperty("java.class.path").split(":"))
            .filter(entry -> entry.matches(".*/(ringstep-native|javacpp|fastcsv|gson|picocli|progressbar|jline)[^/]*\\.jar"))
            .collect(Collectors.joining(":"));
    String onClassPath = new ChildJvm(folder).run("io.ringstep.cli.Main", "info");

    String onModulePath =
        new ChildJvm(folder)
            .options("-p", classes() + ":" + jars, "--add-modules", "info.picocli,me.tongfei.progressbar")
            .run("-m", "io.ringstep/io.ringstep.cli.Main", "info");

    assertTrue(onModulePath.contains("cpu          available"), onModulePath);
    assertEquals(withoutVersion(onClassPath), withoutVersion(onModulePath));
  }

  /** Without its first line: classes that are not in a jar know no version. */
  private static List<String> withoutVersion(String info) {
    return info.lines().skip(1).toList();
  }

  private static List<Class<?>> publicClasses() throws Exception {
    try (Stream<Path> files = Files.list(classes().resolve("io/ringstep"))) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".class"))
          .<Class<?>>map(name -> load("io.ringstep." + name.replace(".class", "")))
          .filter(type -> isVisible(type.getModifiers()))
          .toList();
    }
  }

  /** All that a user's code could name: the class with its parent, and its members. */
  private static Stream<String> signatures(Class<?> type) {
    Stream<Executable> executables =
        Stream.of(type.getDeclaredConstructors(), type.getDeclaredMethods()).flatMap(Stream::of);
    return Stream.of(
            Stream.of(type.toGenericString() + " extends " + type.getGenericSuperclass()),
            executables.filter(member -> isVisible(member.getModifiers())).map(Executable::toGenericString),
            Stream.of(type.getDeclaredFields())
                .filter(field -> isVisible(field.getModifiers()))
                .map(Field::toGenericString))
        .flatMap(signatures -> signatures);
  }

  private static boolean isVisible(int modifiers) {
    return Modifier.isPublic(modifiers) || Modifier.isProtected(modifiers);
  }

  private static Class<?> load(String name) {
    try {
      return Class.forName(name);
    } catch (ClassNotFoundException e) {
      throw new LinkageError(name, e);
    }
  }

  private static Path classes() throws URISyntaxException {
    return Path.of(Trainer.class.getProtectionDomain().getCodeSource().getLocation().toURI());
  }
}
