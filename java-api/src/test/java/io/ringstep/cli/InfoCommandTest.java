package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.List;
import org.junit.jupiter.api.Test;

class InfoCommandTest {
  @Test
  void showsVersionsAndBackendsWithReasons() {
    Cli.Result result = Cli.run("info");

    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    for (String line :
        List.of(
            "ringstep +\\S.+", "engine +[0-9.]+", "simd +(avx512|avx2|baseline)", "javacpp +[0-9.]+",
            "mpi +(Open MPI v|MPICH |not found).*", "nccl +([0-9.]+|not found)", "java +[0-9].+", "os +.+",
            "cpu +available: .+processors?", "cuda driver +\\S.*", "cuda runtime +\\S.*",
            "cuda +(not )?available: .+")) {
      assertTrue(result.out().lines().anyMatch(shown -> shown.matches(line)), result.out() + line);
    }
  }

  @Test
  void showsThemAsJson() {
    Cli.Result result = Cli.run("info", "--json");

    JsonObject info = result.json();
    assertEquals(
        List.of(
            "ringstep", "engine", "simd", "javacpp", "mpi", "nccl", "java", "cuda driver", "cuda runtime", "os",
            "backends"),
        List.copyOf(info.keySet()));
    JsonArray backends = info.getAsJsonArray("backends");
    assertEquals("cpu", backends.get(0).getAsJsonObject().get("name").getAsString());
    assertTrue(backends.get(0).getAsJsonObject().get("available").getAsBoolean());
    assertTrue(result.out().matches("\\{.*}\n"));
  }

  @Test
  void showsThePathsOfANetwork() {
    Cli.Result result = Cli.run("info", "--network", "10,20,1", "--activation", "relu");

    assertTrue(
        result.out().contains("path         cpu, plain sgd: small-network at batch 1; row at batch 4; batch at batch 64, 1024, 65536\n"),
        result.out());
    assertEquals(
        "row at batch 1, 4; batch at batch 64, 1024, 65536",
        Cli.run("info", "--network", "10,20,1", "--json").json()
            .getAsJsonObject("paths").get("cpu, others").getAsString());
  }

  @Test
  void showsItsVersion() {
    Cli.Result result = Cli.run("--version");
    assertEquals(ExitCode.DONE, result.exitCode());
    assertTrue(result.out().matches("ringstep \\S.*\n"), result.out());
  }
}
