package io.ringstep.engine;

import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.bytedeco.javacpp.tools.Info;
import org.bytedeco.javacpp.tools.InfoMap;
import org.bytedeco.javacpp.tools.InfoMapper;

/**
 * How JavaCPP turns ringstep_cuda.h into the class {@code Cuda}. Its library is built where there is nvcc and loaded
 * where a GPU is asked for.
 */
@Properties(
    value =
        @Platform(
            value = "linux-x86_64",
            compiler = "cpp17",
            include = "ringstep_cuda.h",
            // JavaCPP gives them to the linker from the last to the first.
            link = {"rt#", "dl#", "pthread#", "cudart_static#", "ringstep-kernels#", "ringstep-engine#", "ringstep-cuda#"},
            library = "jniringstepcuda"),
    target = "io.ringstep.engine.Cuda")
@NoException
public class CudaConfig implements InfoMapper {
  @Override
  public void map(InfoMap infoMap) {
    infoMap.put(new Info("RS_API").cppTypes().annotations());
  }
}
