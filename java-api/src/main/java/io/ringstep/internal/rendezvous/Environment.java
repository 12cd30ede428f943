package io.ringstep.internal.rendezvous;

import io.ringstep.Rendezvous;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The job that environment variables describe; see {@link Rendezvous#env()}.
 *
 * @param launcher whose variables they are
 */
public record Environment(
    String launcher, int rank, int worldSize, int localRank, HostPort address, Map<String, String> variables) {
  public static final String RENDEZVOUS = "RINGSTEP_RENDEZVOUS";
  public static final String SECRET = "RINGSTEP_SECRET";
  public static final String DEADLINE = "RINGSTEP_DEADLINE";

  /** Where rank 0 listens, if not at the rendezvous's own address: {@code 0.0.0.0} for anywhere. */
  public static final String LISTEN = "RINGSTEP_LISTEN";

  /** How often the group was restarted. */
  public static final String ATTEMPT = "RINGSTEP_ATTEMPT";

  /** Set to 1 where the launcher holds the rendezvous, and rank 0 does not. */
  public static final String LAUNCHED = "RINGSTEP_LAUNCHED";

  private static final String MASTER_ADDR = "MASTER_ADDR";
  private static final String MASTER_PORT = "MASTER_PORT";

  /** Set to True where torchrun's own store listens at the master's port. */
  private static final String AGENT_STORE = "TORCHELASTIC_USE_AGENT_STORE";

  /** The variables of one family of launchers. */
  private record Family(String launcher, String rank, List<String> worldSize, String localRank) {}

  private static final List<Family> FAMILIES =
      List.of(
          new Family("torchrun", "RANK", List.of("WORLD_SIZE"), "LOCAL_RANK"),
          new Family(
              "Open MPI", "OMPI_COMM_WORLD_RANK", List.of("OMPI_COMM_WORLD_SIZE"), "OMPI_COMM_WORLD_LOCAL_RANK"),
          new Family("PMI", "PMI_RANK", List.of("PMI_SIZE"), "MPI_LOCALRANKID"),
          new Family("Slurm", "SLURM_PROCID", List.of("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"), "SLURM_LOCALID"));

  /**
   * The job, which must be there.
   *
   * @throws IllegalArgumentException if it is not, or variables are incomplete or wrong
   */
  public static Environment of(Map<String, String> variables) {
    return detect(variables)
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "no launcher has set this process's rank: neither RANK, OMPI_COMM_WORLD_RANK, PMI_RANK nor"
                        + " SLURM_PROCID is set; start it with 'ringstep launch', torchrun, mpirun or srun"));
  }

  /**
   * The job, if a launcher started this process.
   *
   * @throws IllegalArgumentException if variables are incomplete or wrong
   */
  public static Optional<Environment> detect(Map<String, String> variables) {
    Variables v = new Variables(variables);
    for (Family family : FAMILIES) {
      if (isPresent(family, v)) {
        return Optional.of(of(family, v));
      }
    }
    return Optional.empty();
  }

  private static boolean isPresent(Family family, Variables v) {
    // A batch script of Slurm's has SLURM_PROCID too, but only what srun starts is one of several.
    boolean batchScript =
        family.rank.equals("SLURM_PROCID") && v.has("SLURM_JOB_ID") && !v.has("SLURM_STEP_ID");
    return !batchScript && (v.has(family.rank) || isHalfSet(family, v));
  }

  /** The rank is missing, but something is there that only a launcher sets: that is an error, not another case. */
  private static boolean isHalfSet(Family family, Variables v) {
    return switch (family.launcher) {
      case "torchrun" -> v.has("WORLD_SIZE") && (v.has("LOCAL_RANK") || v.has(MASTER_ADDR) || v.has(MASTER_PORT));
      case "Slurm" -> false;
      default -> family.worldSize.stream().anyMatch(v::has);
    };
  }

  private static boolean isSlurm(Family family) {
    return family.launcher.equals("Slurm");
  }

  private static Environment of(Family family, Variables v) {
    String sizeName =
        family.worldSize.stream().filter(v::has).findFirst().orElse(family.worldSize.get(family.worldSize.size() - 1));
    int worldSize = v.number(sizeName, "where " + family.rank + " is");
    int rank = v.number(family.rank, "where " + sizeName + " is");
    if (worldSize < 1) {
      throw new IllegalArgumentException(sizeName + " is " + worldSize + "; it must be at least 1");
    }
    if (rank < 0 || rank >= worldSize) {
      throw new IllegalArgumentException(
          family.rank + " is " + rank + ", but " + sizeName + " is " + worldSize + "; ranks count from 0");
    }
    int localRank = v.has(family.localRank) ? v.number(family.localRank, "") : rank;
    if (localRank < 0 || localRank > rank && family.launcher.equals("torchrun")) {
      throw new IllegalArgumentException(
          family.localRank + " is " + localRank + ", but " + family.rank + " is " + rank
              + "; a rank's number on its host is from 0 to its rank");
    }
    return new Environment(
        family.launcher, rank, worldSize, localRank, address(family, worldSize, v), v.all());
  }

  // ---- the address ----

  private static HostPort address(Family family, int worldSize, Variables v) {
    if (v.has(RENDEZVOUS)) {
      try {
        return HostPort.parse(v.get(RENDEZVOUS));
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException(RENDEZVOUS + ": " + e.getMessage(), e);
      }
    }
    boolean derived = !family.launcher.equals("torchrun");
    if (v.has(MASTER_ADDR) || v.has(MASTER_PORT) && !derived) {
      int port = v.has(MASTER_PORT) || !derived ? v.port(MASTER_PORT, "where " + MASTER_ADDR + " is") : JobPort.of(v.all());
      boolean storeThere = "True".equalsIgnoreCase(v.all().get(AGENT_STORE));
      return new HostPort(
          v.required(MASTER_ADDR, "where " + MASTER_PORT + " is"), storeThere ? nextTo(port) : port);
    }
    if (isSlurm(family) && v.has("SLURM_JOB_NODELIST")) {
      return new HostPort(NodeList.first(v.get("SLURM_JOB_NODELIST")), port(v));
    }
    if (isOnOneHost(family, worldSize, v)) {
      return new HostPort("127.0.0.1", port(v));
    }
    throw new IllegalArgumentException(
        "the ranks are on several hosts, or may be, and no variable says where they meet; set "
            + RENDEZVOUS + " to rank 0's host:port");
  }

  /** A port that all ranks come to by themselves, beside one that is taken. */
  private static int nextTo(int port) {
    return port < Variables.MOST_PORT ? port + 1 : port - 1;
  }

  private static int port(Variables v) {
    return v.has(MASTER_PORT) ? v.port(MASTER_PORT, "") : JobPort.of(v.all());
  }

  private static boolean isOnOneHost(Family family, int worldSize, Variables v) {
    String local =
        switch (family.launcher) {
          case "Open MPI" -> "OMPI_COMM_WORLD_LOCAL_SIZE";
          case "PMI" -> "MPI_LOCALNRANKS";
          default -> "";
        };
    return worldSize == 1 || v.has(local) && v.number(local, "") == worldSize;
  }

  // ---- the rest ----

  /** The job's deadline. */
  public Duration deadline() {
    return deadline(variables);
  }

  /** The deadline that the variables ask for, or the default. */
  public static Duration deadline(Map<String, String> variables) {
    Variables v = new Variables(variables);
    if (!v.has(DEADLINE)) {
      return Rendezvous.DEFAULT_DEADLINE;
    }
    try {
      double seconds = Double.parseDouble(v.get(DEADLINE));
      Duration deadline = Duration.ofMillis(Math.round(seconds * 1000));
      Limits.requireDeadline(deadline);
      return deadline;
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(DEADLINE + " is '" + v.get(DEADLINE) + "', not a number of seconds", e);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(DEADLINE + ": " + e.getMessage(), e);
    }
  }

  /** How often the group was restarted. */
  public static int attempt(Map<String, String> variables) {
    Variables v = new Variables(variables);
    return v.has(ATTEMPT) ? v.number(ATTEMPT, "") : 0;
  }

  /** Whether {@code ringstep launch} started this process, and holds the rendezvous. */
  public static boolean isLaunched(Map<String, String> variables) {
    return "1".equals(variables.get(LAUNCHED));
  }

  /** Joins the job, and waits for all ranks. */
  public Rendezvous join() {
    return TcpRendezvous.join(
        new TcpRendezvous.Config(
            address, blankToNull(variables.get(LISTEN)), rank, worldSize, localRank,
            variables.getOrDefault(SECRET, ""), deadline(), attempt(variables), isLaunched(variables)));
  }

  private static String blankToNull(String text) {
    return text == null || text.isBlank() ? null : text.strip();
  }

  /** Variables, of which empty ones count as not set. */
  private record Variables(Map<String, String> all) {
    private static final int MOST_PORT = 65535;

    boolean has(String name) {
      return !all.getOrDefault(name, "").isBlank();
    }

    String get(String name) {
      return all.get(name).strip();
    }

    String required(String name, String where) {
      if (!has(name)) {
        throw new IllegalArgumentException(
            name + " is not set" + (where.isEmpty() ? "" : " " + where) + "; a launcher sets both, or set it by hand");
      }
      return get(name);
    }

    int number(String name, String where) {
      String text = required(name, where);
      try {
        return Integer.parseInt(text);
      } catch (NumberFormatException e) {
        throw new IllegalArgumentException(name + " is '" + text + "', not a whole number", e);
      }
    }

    int port(String name, String where) {
      int port = number(name, where);
      if (port < 1 || port > MOST_PORT) {
        throw new IllegalArgumentException(name + " is " + port + "; a port is from 1 to " + MOST_PORT);
      }
      return port;
    }
  }
}
