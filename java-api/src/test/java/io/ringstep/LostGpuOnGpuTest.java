package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.engine.Cuda;
import io.ringstep.engine.Engine;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A GPU whose context is lost, in a JVM of its own. */
@OnGpu
class LostGpuOnGpuTest {
  @TempDir Path directory;

  @Test
  void everyCallSaysThatTheProcessMustBeRestartedAndNothingHangs() throws Exception {
    String printed = new ChildJvm(directory).run(Loss.class.getName());

    assertTrue(printed.contains("all as expected"), printed);
  }

  /** What the child does. */
  static final class Loss {
    private Loss() {}

    public static void main(String[] args) {
      Trainer trainer = Trainer.builder(Network.of(10, 20, 1)).device(Device.cuda()).build();
      trainer.step(new float[10], new float[1]);

      assertEquals(Engine.RS_CUDA_FATAL, Cuda.rs_cuda_lose_device(0));
      for (int i = 0; i < 3; i++) {
        String message =
            assertThrows(CudaFatalException.class, () -> trainer.step(new float[10], new float[1])).getMessage();
        assertTrue(message.contains("restart the process"), message);
      }
      assertThrows(CudaFatalException.class, trainer::parameters);
      trainer.close();
      System.out.println("all as expected");
    }
  }
}
