package io.ringstep.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.ringstep.RingstepException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** NCCL without a GPU: it is read where it is, and what is missing is named with the remedy where it is not. */
class NcclLibraryTest {
  /** Nested as JavaCPP's loader nests them: the outer message never names the culprit. */
  private static LinkageError missing(String jni, String library) {
    LinkageError outer = new UnsatisfiedLinkError("no " + jni);
    outer.initCause(
        new UnsatisfiedLinkError(
            "lib" + jni + ".so: " + library + ": cannot open shared object file: No such file or directory"));
    return outer;
  }

  private static final String BY_NAME = "NCCL cannot be loaded: libnccl.so.2: cannot open; install libnccl2";

  private static void assertNames(String culprit, String remedy, LinkageError failure) {
    String reason = NcclLibrary.reason(BY_NAME, failure);
    assertTrue(reason.contains(culprit) && reason.contains(remedy), reason);
    assertTrue(!reason.contains("\n"), reason);
  }

  @Test
  void namesTheMissingDriver() {
    assertNames("no CUDA driver (libcuda.so.1)", "install NVIDIA's driver", missing("jnicudart", "libcuda.so.1"));
  }

  @Test
  void namesTheMissingRuntime() {
    assertNames(
        "no CUDA 13 runtime (libcudart.so.13)", "install cuda-cudart-13-0", missing("jnicudart", "libcudart.so.13"));
  }

  @Test
  void namesTheMissingLibrary() {
    assertNames("libnccl.so.2", "install libnccl2", missing("jninccl", "libnccl.so.2"));
    assertNames("libnccl.so.2", "install libnccl2", new NoClassDefFoundError("org/bytedeco/cuda/global/nccl"));
  }

  /** On this machine, whatever it lacks. */
  @Test
  void saysWhyItIsUnavailable() {
    String reason = NcclLibrary.unavailable();
    assumeTrue(reason != null, "NCCL is here");
    assertTrue(reason.matches("(?s).*(libnccl\\.so\\.2|libcuda\\.so\\.1|libcudart\\.so\\.13).*install.*"), reason);
    assertEquals(reason, assertThrows(RingstepException.class, NcclLibrary::version).getMessage());
    assertEquals(reason, assertThrows(RingstepException.class, NcclLibrary::uniqueId).getMessage());
  }

  @Test
  void isReadWithoutAGpu() {
    String reason = NcclLibrary.unavailable();
    assumeTrue(reason == null, reason);
    assertTrue(NcclLibrary.version().matches("2\\.\\d+\\.\\d+"), NcclLibrary.version());
    byte[] id = NcclLibrary.uniqueId();
    assertEquals(128, id.length);
    assertTrue(!Arrays.equals(id, NcclLibrary.uniqueId()), "two ids are the same");
  }
}
