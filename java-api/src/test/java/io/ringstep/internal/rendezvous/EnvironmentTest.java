package io.ringstep.internal.rendezvous;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What launchers say in environment variables. */
class EnvironmentTest {
  private static Map<String, String> variables(String... pairs) {
    Map<String, String> variables = new HashMap<>();
    for (int i = 0; i < pairs.length; i += 2) {
      variables.put(pairs[i], pairs[i + 1]);
    }
    return variables;
  }

  private static void assertJob(Environment job, String launcher, int rank, int worldSize, int localRank) {
    assertEquals(launcher, job.launcher());
    assertEquals(rank, job.rank());
    assertEquals(worldSize, job.worldSize());
    assertEquals(localRank, job.localRank());
  }

  @Test
  void torchrunAndKubeflow() {
    Environment job =
        Environment.of(
            variables("RANK", "5", "WORLD_SIZE", "8", "LOCAL_RANK", "1", "MASTER_ADDR", "job-master-0", "MASTER_PORT", "23456"));
    assertJob(job, "torchrun", 5, 8, 1);
    assertEquals(new HostPort("job-master-0", 23456), job.address());
  }

  @Test
  void torchrunsOwnStoreHasTheMastersPort() {
    Map<String, String> variables =
        variables(
            "RANK", "1", "WORLD_SIZE", "2", "MASTER_ADDR", "localhost", "MASTER_PORT", "29500",
            "TORCHELASTIC_USE_AGENT_STORE", "True");
    assertEquals(new HostPort("localhost", 29501), Environment.of(variables).address());
    variables.put("MASTER_PORT", "65535");
    assertEquals(new HostPort("localhost", 65534), Environment.of(variables).address());
  }

  @Test
  void slurm() {
    Environment job =
        Environment.of(
            variables(
                "SLURM_PROCID", "3", "SLURM_NTASKS", "4", "SLURM_LOCALID", "1", "SLURM_JOB_NODELIST", "rack[07-08,12]",
                "SLURM_JOB_ID", "123456", "SLURM_STEP_ID", "0"));
    assertJob(job, "Slurm", 3, 4, 1);
    assertEquals("rack07", job.address().host());
    assertTrue(job.address().port() >= 20_000 && job.address().port() < 32_000, job.address().toString());
    Environment other =
        Environment.of(
            variables(
                "SLURM_PROCID", "3", "SLURM_NTASKS", "4", "SLURM_JOB_NODELIST", "rack[07-08,12]", "SLURM_JOB_ID", "123457",
                "SLURM_STEP_ID", "0"));
    assertNotEquals(job.address().port(), other.address().port());
  }

  @Test
  void aBatchScriptOfSlurmsIsOneProcess() {
    assertTrue(
        Environment.detect(variables("SLURM_JOB_ID", "1", "SLURM_PROCID", "0", "SLURM_NTASKS", "4")).isEmpty());
  }

  @Test
  void openMpiOnOneHost() {
    Environment job =
        Environment.of(
            variables(
                "OMPI_COMM_WORLD_RANK", "2", "OMPI_COMM_WORLD_SIZE", "4", "OMPI_COMM_WORLD_LOCAL_RANK", "2",
                "OMPI_COMM_WORLD_LOCAL_SIZE", "4", "PMIX_NAMESPACE", "prterun-host-4242@1"));
    assertJob(job, "Open MPI", 2, 4, 2);
    assertEquals("127.0.0.1", job.address().host());
  }

  @Test
  void mpichOnSeveralHosts() {
    Map<String, String> variables =
        variables("PMI_RANK", "3", "PMI_SIZE", "4", "MPI_LOCALRANKID", "1", "MPI_LOCALNRANKS", "2");
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> Environment.of(variables));
    assertTrue(e.getMessage().contains("set RINGSTEP_RENDEZVOUS to rank 0's host:port"), e.getMessage());
    variables.put("RINGSTEP_RENDEZVOUS", "node1:29500");
    assertJob(Environment.of(variables), "PMI", 3, 4, 1);
    assertEquals(new HostPort("node1", 29500), Environment.of(variables).address());
  }

  @Test
  void theInnermostLauncherCounts() {
    Map<String, String> both =
        variables("SLURM_PROCID", "0", "SLURM_NTASKS", "2", "RANK", "1", "WORLD_SIZE", "4", "RINGSTEP_RENDEZVOUS", "h:1");
    assertJob(Environment.of(both), "torchrun", 1, 4, 1);
  }

  @Test
  void aProcessByItselfIsNoJob() {
    assertTrue(Environment.detect(variables("WORLD_SIZE", "4", "PATH", "/bin")).isEmpty());
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> Environment.of(Map.of()));
    assertTrue(e.getMessage().startsWith("no launcher has set this process's rank: neither RANK, "), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "RANK=1|WORLD_SIZE is not set where RANK is",
        "WORLD_SIZE=4 MASTER_ADDR=h MASTER_PORT=1|RANK is not set where WORLD_SIZE is",
        "RANK=x WORLD_SIZE=4|RANK is 'x', not a whole number",
        "RANK=4 WORLD_SIZE=4|RANK is 4, but WORLD_SIZE is 4; ranks count from 0",
        "RANK=-1 WORLD_SIZE=4|RANK is -1, but WORLD_SIZE is 4; ranks count from 0",
        "RANK=0 WORLD_SIZE=0|WORLD_SIZE is 0; it must be at least 1",
        "RANK=0 WORLD_SIZE=4 LOCAL_RANK=1|LOCAL_RANK is 1, but RANK is 0",
        "RANK=0 WORLD_SIZE=4 MASTER_ADDR=h|MASTER_PORT is not set where MASTER_ADDR is",
        "RANK=0 WORLD_SIZE=4 MASTER_PORT=29500|MASTER_ADDR is not set where MASTER_PORT is",
        "RANK=0 WORLD_SIZE=4 MASTER_ADDR=h MASTER_PORT=70000|MASTER_PORT is 70000; a port is from 1 to 65535",
        "RANK=0 WORLD_SIZE=4|set RINGSTEP_RENDEZVOUS to rank 0's host:port",
        "RANK=0 WORLD_SIZE=4 RINGSTEP_RENDEZVOUS=here|RINGSTEP_RENDEZVOUS: 'here' is not the address of a rendezvous",
        "OMPI_COMM_WORLD_SIZE=4|OMPI_COMM_WORLD_RANK is not set where OMPI_COMM_WORLD_SIZE is",
        "PMI_RANK=4|PMI_SIZE is not set where PMI_RANK is",
        "SLURM_PROCID=4|SLURM_NTASKS is not set where SLURM_PROCID is",
        "SLURM_PROCID=0 SLURM_NTASKS=2 SLURM_JOB_NODELIST=rack[1|SLURM_JOB_NODELIST is 'rack[1'",
      })
  void namesTheVariableThatIsWrong(String assignments, String reason) {
    Map<String, String> variables = new HashMap<>();
    for (String assignment : assignments.split(" ")) {
      variables.put(assignment.split("=", 2)[0], assignment.split("=", 2)[1]);
    }
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> Environment.of(variables));
    assertTrue(e.getMessage().contains(reason), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {"node7|node7", "a,b|a", "gpu[03-05,9]|gpu03", "gpu[4]|gpu4", "rack[1-2]node[3-5],x|rack1node3", "n[7,9]-ib|n7-ib"})
  void theFirstHostOfANodeList(String nodes, String first) {
    assertEquals(first, NodeList.first(nodes));
  }

  @Test
  void deadlines() {
    assertEquals(Duration.ofSeconds(60), Environment.deadline(Map.of()));
    assertEquals(Duration.ofMillis(2500), Environment.deadline(Map.of("RINGSTEP_DEADLINE", "2.5")));
    for (String bad : new String[] {"soon", "0", "-1", "NaN", "1e12"}) {
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class, () -> Environment.deadline(Map.of("RINGSTEP_DEADLINE", bad)));
      assertTrue(e.getMessage().startsWith("RINGSTEP_DEADLINE"), e.getMessage());
    }
  }
}
