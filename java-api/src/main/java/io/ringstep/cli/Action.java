package io.ringstep.cli;

/** What a command does once its options are parsed. */
interface Action {
  /**
   * Does the work.
   *
   * @return the exit code
   * @throws Exception which {@link OneLineErrors} reports
   */
  int run(Console console) throws Exception;
}
