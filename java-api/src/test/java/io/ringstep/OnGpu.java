package io.ringstep;

import io.ringstep.Backends.Backend;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Tests that need a GPU: {@code auto} means {@code cuda} in them. Where there is none they are skipped, and say why. */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@Tag("gpu")
@ExtendWith(OnGpu.Extension.class)
@interface OnGpu {
  /** Skips, or says what auto means. */
  final class Extension implements ExecutionCondition, BeforeAllCallback, AfterAllCallback {
    private static final String DEVICE = "io.ringstep.device";

    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
      Backend cuda = Backends.report().get(1);
      return cuda.available()
          ? ConditionEvaluationResult.enabled(cuda.detail())
          : ConditionEvaluationResult.disabled(cuda.detail());
    }

    @Override
    public void beforeAll(ExtensionContext context) {
      System.setProperty(DEVICE, "cuda");
    }

    @Override
    public void afterAll(ExtensionContext context) {
      System.clearProperty(DEVICE);
    }
  }
}
