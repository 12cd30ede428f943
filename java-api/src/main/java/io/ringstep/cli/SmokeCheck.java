package io.ringstep.cli;

/**
 * One line of {@code ringstep smoke}.
 *
 * @param name what is checked
 * @param body gives the detail of a pass; throws {@link Skip}, or anything else for a failure
 */
record SmokeCheck(String name, Body body) {
  /** How a check ended. */
  enum Outcome {
    PASS,
    FAIL,
    SKIP
  }

  record Result(Outcome outcome, String detail) {}

  @FunctionalInterface
  interface Body {
    String run() throws Exception;
  }

  /** The check does not apply here; the message says why. */
  static final class Skip extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Skip(String reason) {
      super(reason);
    }
  }

  /** The check found something wrong; the message says what. */
  static final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Failure(String reason) {
      super(reason);
    }
  }

  static void require(boolean condition, String otherwise) {
    if (!condition) {
      throw new Failure(otherwise);
    }
  }

  Result run() {
    try {
      return new Result(Outcome.PASS, body.run());
    } catch (Skip e) {
      return new Result(Outcome.SKIP, "(" + e.getMessage() + ")");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new Result(Outcome.FAIL, "interrupted");
    } catch (Exception | LinkageError e) {
      return new Result(Outcome.FAIL, e instanceof Failure ? e.getMessage() : e.toString());
    }
  }
}
