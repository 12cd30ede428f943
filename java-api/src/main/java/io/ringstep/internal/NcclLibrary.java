package io.ringstep.internal;

import io.ringstep.RingstepException;
import io.ringstep.engine.Engine;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/**
 * NVIDIA's NCCL, loaded when it is first asked about: from what {@code RINGSTEP_NCCL_LIBRARY} names, or where
 * the system's loader finds {@code libnccl.so.2}, or else where JavaCPP's CUDA presets find it, if they are on
 * the class path. To load it and to read its version takes no GPU.
 */
public final class NcclLibrary {
  private static final int ID_BYTES = 128;

  private NcclLibrary() {}

  /** Why NCCL cannot be used, with the remedy; null where it can. */
  public static String unavailable() {
    Native.require();
    return Loaded.REASON;
  }

  /** Call before NCCL is used. */
  public static void require() {
    String reason = unavailable();
    if (reason != null) {
      throw new RingstepException(reason);
    }
  }

  /** For example {@code 2.30.7}. */
  public static String version() {
    int number = versionNumber();
    return number / 10000 + "." + number / 100 % 100 + "." + number % 100;
  }

  /** For example 23007 for 2.30.7. */
  public static int versionNumber() {
    require();
    Pointer memory = Native.allocate(Integer.BYTES);
    try {
      IntPointer version = new IntPointer(memory);
      Native.check(Engine.rs_nccl_version(version));
      return version.get();
    } finally {
      Pointer.free(memory);
    }
  }

  /** Whether it can sum in memory that it knows, as 2.27 and later can. */
  public static boolean hasWindows() {
    require();
    Pointer memory = Native.allocate(Integer.BYTES);
    try {
      IntPointer has = new IntPointer(memory);
      Native.check(Engine.rs_nccl_has_windows(has));
      return has.get() != 0;
    } finally {
      Pointer.free(memory);
    }
  }

  /** What one rank makes and all ranks of a group need. */
  public static byte[] uniqueId() {
    require();
    Pointer memory = Native.allocate(ID_BYTES);
    try {
      Native.check(Engine.rs_nccl_unique_id(memory));
      byte[] id = new byte[ID_BYTES];
      new BytePointer(memory).get(id);
      return id;
    } finally {
      Pointer.free(memory);
    }
  }

  private static final class Loaded {
    static final String REASON = load();

    private Loaded() {}

    private static String load() {
      if (isLoaded()) {
        return null;
      }
      String reason = Engine.rs_last_error().getString();
      try {
        // Its library stays loaded, and is then found by its name.
        Presets.load();
      } catch (LinkageError e) {
        return reason(reason, e);
      }
      return isLoaded() ? null : Engine.rs_last_error().getString();
    }

    private static boolean isLoaded() {
      return Engine.rs_nccl_load((BytePointer) null) == Engine.RS_OK;
    }
  }

  /** A class of its own: it cannot be loaded without the presets' jar. */
  private static final class Presets {
    private Presets() {}

    static void load() {
      Loader.load(org.bytedeco.cuda.global.nccl.class);
    }
  }

  /**
   * What the presets lack. The outer message never names the culprit.
   *
   * @param byName why NCCL was not found without the presets
   */
  static String reason(String byName, LinkageError presets) {
    for (Throwable cause = presets; cause != null; cause = cause.getCause()) {
      String text = String.valueOf(cause.getMessage());
      if (text.contains("libcuda.so.1")) {
        return "NCCL cannot be used: no CUDA driver (libcuda.so.1); install NVIDIA's driver, or start the"
            + " container with --gpus all; also, " + byName;
      }
      if (text.contains("libcudart.so.13")) {
        return "NCCL cannot be used: no CUDA 13 runtime (libcudart.so.13); install cuda-cudart-13-0 from NVIDIA's"
            + " repository, or nvidia-cuda-runtime with pip and add its lib folder to LD_LIBRARY_PATH; also, " + byName;
      }
    }
    return byName;
  }
}
