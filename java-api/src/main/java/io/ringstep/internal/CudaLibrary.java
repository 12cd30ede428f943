package io.ringstep.internal;

import io.ringstep.CudaException;
import io.ringstep.RingstepException;
import io.ringstep.engine.Cuda;
import io.ringstep.engine.Engine;
import java.io.IOException;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/**
 * The CUDA engine's library, loaded when it is first asked about, and only where there is a driver: on a machine without
 * a GPU that takes microseconds.
 */
public final class CudaLibrary {
  private static final int DETAIL_BYTES = 512;

  private CudaLibrary() {}

  /** Why no GPU can be used; null where one can. */
  public static String unavailable() {
    return Loaded.REASON;
  }

  /** Call before a GPU is used. */
  public static void require() {
    if (Loaded.REASON != null) {
      throw new CudaException("device cuda: " + Loaded.REASON + "; use auto or cpu", Loaded.FAILURE);
    }
  }

  /** GPUs that this process may use; 0 where none can be. */
  public static int deviceCount() {
    return Loaded.REASON == null ? Cuda.rs_cuda_device_count() : 0;
  }

  /** Name, compute capability, size and free memory. */
  public static String description(int device) {
    require();
    return Cuda.rs_cuda_device_description(device).getString();
  }

  /** For example {@code GPU-5f0b8f1e-…}, which no other GPU has. */
  public static String uuid(int device) {
    require();
    return Cuda.rs_cuda_device_uuid(device).getString();
  }

  /** How one GPU reaches another's memory, such as {@code directly, with atomics, as over NVLink, performance rank 0}. */
  public static String peerDescription(int device, int peer) {
    require();
    return Cuda.rs_cuda_peer_description(device, peer).getString();
  }

  /** For example {@code 13.0}: the newest CUDA that the driver can run. */
  public static String driverVersion() {
    require();
    return version(Cuda.rs_cuda_driver_version());
  }

  /** For example {@code 13.0}: the CUDA that the engine was built with. */
  public static String runtimeVersion() {
    require();
    return version(Cuda.rs_cuda_runtime_version());
  }

  /** Checks that a device computes and moves data as it should. */
  public static List<String> checkNames() {
    require();
    return IntStream.range(0, Cuda.rs_cuda_check_count())
        .mapToObj(check -> Cuda.rs_cuda_check_name(check).getString())
        .toList();
  }

  /**
   * What one of {@link #checkNames} found.
   *
   * @param passed null where the check does not apply to the device
   * @param detail what was found
   */
  public record CheckResult(Boolean passed, String detail) {}

  /** Runs the check of that index on a device. */
  public static CheckResult check(int check, int device) {
    require();
    Pointer memory = Native.allocate(DETAIL_BYTES);
    try {
      BytePointer detail = new BytePointer(memory);
      int result = Cuda.rs_cuda_check(check, device, detail, DETAIL_BYTES);
      return new CheckResult(result == 2 ? null : result == 0, detail.getString());
    } finally {
      Pointer.free(memory);
    }
  }

  private static String version(int number) {
    return number / 1000 + "." + number % 1000 / 10;
  }

  /** The outcome of loading it, once for the process. */
  private static final class Loaded {
    private static final Throwable FAILURE;
    private static final String REASON;

    static {
      Throwable failure = null;
      String reason;
      try {
        reason = load();
      } catch (LinkageError | RuntimeException | IOException e) {
        failure = e;
        reason = "the CUDA engine cannot be loaded: " + Native.reasons(e);
      }
      FAILURE = failure;
      REASON = reason;
    }

    private static String load() throws IOException {
      Native.require();
      String library = Loader.Detector.getPlatform() + "/libjniringstepcuda.so";
      // Class.getResource would look in the engine's own module alone, and the CUDA jar is another.
      if (Loader.findResources(Engine.class, library).length == 0) {
        return "no CUDA engine (the jar ringstep-native with the classifier cuda is missing, or was built without nvcc)";
      }
      if (Engine.rs_cuda_driver_present() == 0) {
        return "no CUDA driver (libcuda.so.1 is not installed)";
      }
      Loader.load(Cuda.class);
      String reason = Cuda.rs_cuda_unavailable().getString();
      if (!reason.isEmpty()) {
        return reason;
      }
      if (Engine.rs_register_backend(Cuda.rs_cuda_backend()) != Engine.RS_OK) {
        throw new RingstepException(Engine.rs_last_error().getString());
      }
      return null;
    }
  }
}
