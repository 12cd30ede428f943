package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** What the report says of each engine. */
class BackendsTest {
  @Test
  void theCpuIsThereWithItsInstructionSetAndProcessors() {
    Backends.Backend cpu = Backends.report().get(0);
    assertEquals("cpu", cpu.name());
    assertTrue(cpu.available());
    int processors = Runtime.getRuntime().availableProcessors();
    String expected = "(avx512|avx2|baseline), " + processors + " processors?";
    assertTrue(cpu.detail().matches(expected), () -> cpu.detail() + " is not: " + expected);
  }

  @Test
  void cudaIsNotThereAndSaysWhy() {
    assertEquals(
        new Backends.Backend("cuda", false, "this build has no CUDA engine"), Backends.report().get(1));
  }
}
