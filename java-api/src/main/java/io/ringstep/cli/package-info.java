/** The command line: {@code ringstep train}, {@code predict} and {@code info}. */
package io.ringstep.cli;
