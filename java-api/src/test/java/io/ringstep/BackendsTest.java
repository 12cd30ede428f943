package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

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

  /** Without a GPU the report says why; with one it describes each. */
  @Test
  void cudaSaysWhatItRunsOnOrWhyItCannot() {
    Backends.Backend cuda = Backends.report().get(1);
    assertEquals("cuda", cuda.name());
    assertEquals(cuda.available(), !Backends.cudaDevices().isEmpty());
    String expected =
        cuda.available()
            ? "cuda:0 .+, compute capability \\d+\\.\\d, .*"
            : "no CUDA (engine|driver|device).*|the CUDA (driver|engine) .+";
    assertTrue(cuda.detail().matches(expected), () -> cuda.detail() + " is not: " + expected);
  }

  @Test
  void aGpuThatCannotBeUsedIsRefusedWithTheReasonWhenATrainerIsBuilt() {
    Backends.Backend cuda = Backends.report().get(1);
    assumeFalse(cuda.available(), "this machine has a GPU");
    Trainer.Builder builder = Trainer.builder(Network.of(10, 20, 1)).device(Device.cuda());

    CudaException refused = assertThrows(CudaException.class, builder::build);

    assertEquals("device cuda: " + cuda.detail() + "; use auto or cpu", refused.getMessage());
  }

  @Test
  void tf32IsRefusedOnTheCpu() {
    Trainer.Builder builder =
        Trainer.builder(Network.of(10, 20, 1)).device(Device.cpu()).precision(Precision.TF32);

    String message = assertThrows(IllegalArgumentException.class, builder::build).getMessage();

    assertTrue(message.startsWith("TF32 is for a GPU's tensor cores"), message);
  }
}
