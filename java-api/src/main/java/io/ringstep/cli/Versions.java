package io.ringstep.cli;

import java.io.IOException;
import java.lang.module.ModuleDescriptor;
import java.util.Objects;
import java.util.Optional;
import org.bytedeco.javacpp.Loader;
import picocli.CommandLine.IVersionProvider;

/** The versions that a report of a defect should name. */
final class Versions implements IVersionProvider {
  @Override
  public String[] getVersion() {
    return new String[] {"ringstep " + ringstep()};
  }

  /** As the jar's manifest or its module says; classes outside a jar have none. */
  static String ringstep() {
    return Optional.ofNullable(Main.class.getModule().getDescriptor())
        .flatMap(ModuleDescriptor::rawVersion)
        .or(() -> Optional.ofNullable(Main.class.getPackage().getImplementationVersion()))
        .orElse("(not from a jar)");
  }

  static String javacpp() {
    try {
      return Objects.requireNonNullElse(Loader.getVersion(), "unknown");
    } catch (IOException e) {
      return "unknown";
    }
  }

  static String java() {
    return System.getProperty("java.version") + " (" + System.getProperty("java.vm.name") + ")";
  }
}
