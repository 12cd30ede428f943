/*
 * ringstep.h: the C ABI of the Ringstep engine.
 *
 * Ringstep trains small fully connected networks: Linear layers with one activation between them,
 * a loss, and SGD, Adam or AdamW. This header is all a caller needs, from C or through
 * any binding.
 *
 * Conventions
 *   - Arrays are row-major float32: x is [rows, inputs], y is [rows, outputs].
 *   - All parameters of a network form one flat vector, in PyTorch's order and layout:
 *     fc1.weight [out, in], fc1.bias [out], fc2.weight, fc2.bias, ...
 *   - The loss is the mean over rows and outputs of what rs_loss_kind says, by default of
 *     (prediction - y)^2. With cross-entropy, y is [rows, 1], a class a row, and the mean is over rows.
 *   - Where a dataset has sample weights w, every mean is sum(w_i loss_i) / sum(w_i): over nothing but
 *     rows of weight 0 it is 0, and so is its gradient.
 *   - Every function that can fail returns an rs_status; rs_last_error() then gives the reason, for
 *     the calling thread, until its next failing call.
 *   - A handle may be used by one thread at a time, except where a function says otherwise.
 *   - The result of a call has the same bits for any number of threads.
 */
#ifndef RINGSTEP_H
#define RINGSTEP_H

#include <stdint.h>

#if defined(_WIN32)
#define RS_API
#else
#define RS_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Compare with rs_abi_version() before any other call: they differ when header and library do. */
#define RS_ABI_VERSION 3

typedef enum rs_status {
  RS_OK = 0,
  RS_INVALID_ARGUMENT = 1, /* nothing was done; the handle is as before */
  RS_OUT_OF_MEMORY = 2,    /* nothing was done; the handle is as before */
  RS_NON_FINITE = 3,       /* the loss became NaN or infinite; the step was not applied */
  RS_INTERNAL = 4          /* a defect in the engine */
} rs_status;

typedef enum rs_activation {
  RS_IDENTITY = 0,
  RS_RELU = 1, /* gradient 0 at 0, NaN stays NaN */
  RS_TANH = 2,
  RS_SIGMOID = 3
} rs_activation;

typedef enum rs_optimizer_kind { RS_SGD = 0, RS_ADAM = 1, RS_ADAMW = 2 } rs_optimizer_kind;

/* Hyperparameters with PyTorch's names and formulas (torch.optim.SGD, Adam, AdamW). Those that an
 * optimizer does not have are ignored. All are used as float32. */
typedef struct rs_optimizer {
  int32_t kind; /* rs_optimizer_kind */
  double lr;
  double momentum; /* SGD */
  int32_t nesterov; /* SGD */
  double weight_decay; /* L2 for SGD and Adam, decoupled for AdamW */
  double beta1, beta2, eps; /* Adam, AdamW */
} rs_optimizer;

/* Of one output, with z the network's and y the target; formulas and names are PyTorch's. Predictions
 * are z itself; see rs_trainer_probabilities. */
typedef enum rs_loss_kind {
  RS_MSE = 0,          /* torch.nn.MSELoss: (z - y)^2 */
  RS_MAE = 1,          /* torch.nn.L1Loss: |z - y|; derivative 0 at 0 */
  RS_HUBER = 2,        /* torch.nn.HuberLoss: with e = z - y, e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2) */
  RS_BCE = 3,          /* torch.nn.BCEWithLogitsLoss: max(z, 0) - z y + log(1 + exp(-|z|)), y from 0 to 1 */
  RS_CROSS_ENTROPY = 4 /* torch.nn.CrossEntropyLoss: log(sum_c exp(z_c)) - z_y, y a whole number from 0 to outputs - 1 */
} rs_loss_kind;

typedef struct rs_loss {
  int32_t kind;       /* rs_loss_kind */
  double huber_delta; /* above 0; RS_HUBER alone */
} rs_loss;

/* What is done to the mean gradient g before the optimizer sees it, in this order: L1, then at most one kind of
 * clipping. Weight decay is the optimizer's and comes after. */
typedef struct rs_gradient_shaping {
  double l1;         /* g + l1 sign(theta): the derivative of l1 sum |theta|; with weight_decay, an elastic net */
  double clip_norm;  /* torch.nn.utils.clip_grad_norm_: g min(1, clip_norm / (||g|| + 1e-6)); 0: none */
  double clip_value; /* torch.nn.utils.clip_grad_value_: g within +-clip_value; 0: none */
} rs_gradient_shaping;

/* What a trainer is made of. Zero it, then fill in what is not 0. */
typedef struct rs_trainer_options {
  const int32_t* sizes; /* the width of the inputs and of every Linear layer, each from 1 to 4194304: {10, 20, 1} is
                           Linear(10, 20), activation, Linear(20, 1); at most 2147483647 parameters */
  int32_t size_count;
  int32_t activation; /* rs_activation */
  rs_optimizer optimizer;
  int32_t threads; /* bounds the threads of one call; 0 means one for each processor */
  rs_loss loss;
  rs_gradient_shaping shaping;
  /* Inverted dropout after every hidden activation, as torch.nn.Dropout, while training: each unit becomes 0 with this
   * probability, in [0, 1), else it is multiplied by 1 / (1 - dropout). Which ones is a function of dropout_seed, the
   * number of steps since the optimizer's state began, the row's number in the batch and the unit's. Evaluation,
   * prediction and rs_trainer_gradient drop nothing. */
  double dropout;
  uint64_t dropout_seed;
} rs_trainer_options;

typedef enum rs_schedule_kind {
  RS_CONSTANT = 0,
  RS_STEP_DECAY = 1, /* torch.optim.lr_scheduler.StepLR: lr gamma^floor(t / n), n the steps of step_epochs epochs */
  RS_COSINE = 2      /* CosineAnnealingLR: min_lr + (lr - min_lr) (1 + cos(pi t / T)) / 2, T the steps after warm-up */
} rs_schedule_kind;

/* The learning rate of each step of a fit, from the trainer's own, lr, and t, the steps done in the fit. The first
 * warmup_steps have lr (warmup_start + (1 - warmup_start) t / warmup_steps), as LinearLR; thereafter t counts from the
 * end of the warm-up, as with SequentialLR. */
typedef struct rs_schedule {
  int32_t kind; /* rs_schedule_kind */
  int64_t step_epochs; /* RS_STEP_DECAY: at least 1 */
  double gamma;        /* RS_STEP_DECAY: at least 0 */
  double min_lr;       /* RS_COSINE: at least 0 */
  int64_t warmup_steps;
  double warmup_start; /* from 0 to 1 */
} rs_schedule;

/* Averages of the parameters, kept beside them during a fit as torch.optim.swa_utils.AveragedModel keeps them: the
 * first ones are copied. rs_trainer_swap_average puts them to use. */
typedef enum rs_average_kind {
  RS_NO_AVERAGE = 0,
  RS_EMA = 1, /* after every step: average + (1 - decay) (theta - average) */
  RS_SWA = 2  /* after every epoch but the first swa_start ones: average + (theta - average) / (n + 1), the n+1st */
} rs_average_kind;

typedef struct rs_average {
  int32_t kind;      /* rs_average_kind */
  double ema_decay;  /* in [0, 1) */
  int64_t swa_start; /* epochs that take no part, at least 0 */
} rs_average;

/* The state of a fit: what to do, how far it has come, when to pause. Zero it, fill in the first
 * block, and call rs_trainer_fit with it until `done` is 1. */
typedef struct rs_fit {
  int64_t batch;   /* rows a step, at least 1; an epoch's last batch may have fewer */
  int64_t epochs;  /* at least 1 */
  int32_t shuffle; /* 1: every epoch visits the rows in an order of its own, drawn from seed */
  uint64_t seed;
  const float* target_scale; /* [outputs], or null: each target was divided by this before training, and losses are
                                reported in its own units: squared errors and Huber's loss times its square (Huber's
                                delta times it), absolute ones times it; the losses of classifiers take no part;
                                from 1e-18 to 1e18 */

  /* Position: both zero at the start. */
  int64_t epoch; /* whole epochs done */
  int64_t row;   /* rows of the current epoch done */
  int64_t steps; /* steps done in all */
  double epoch_loss_sum; /* sum of the losses over the rows of the current epoch done */

  /* When to return before the end. */
  double seconds;          /* return after about so long; 0 means no limit */
  int64_t step_limit;      /* return when `steps` has come to this; 0 means no limit */
  double* losses;          /* receives the mean loss of each epoch that ends in this call; may be null */
  int64_t losses_capacity; /* return when so many epochs have ended in this call; 0 means no limit, and needs null losses */

  /* Results of this call. */
  int64_t losses_count; /* epochs that ended in this call */
  int32_t done;         /* 1 once all epochs are done */

  /* More of what to do, all 0 for none of it. A fit at its start forgets what was averaged before. */
  rs_schedule schedule;
  rs_average average;
  double lr_scale; /* multiplies every learning rate, as for reduce-on-plateau; may change between calls; 0 means 1 */

  /* More of the position. */
  double epoch_weight_sum; /* sum of the sample weights over the rows of the current epoch done; 0 without weights */
} rs_fit;

typedef struct rs_dataset rs_dataset;
typedef struct rs_trainer rs_trainer;

/* ---- the library ---- */

RS_API int32_t rs_abi_version(void);
RS_API const char* rs_version(void);    /* "0.1.0" */
RS_API const char* rs_last_error(void); /* never null; empty before the first failure of this thread */

/* The instruction set in use: "avx512", "avx2" or "baseline". The best that the processor has,
 * unless the environment variable RINGSTEP_SIMD names a lesser one at load. avx512 and avx2 give the
 * same bits; baseline, which has no fused multiply-add, rounds differently. */
RS_API const char* rs_cpu_simd(void);

/* Processors this process may run on. */
RS_API int32_t rs_cpu_count(void);

/* ---- datasets: rows held by the engine ---- */

/* Memory for `rows` rows, zeroed; rows >= 1, inputs >= 1, outputs >= 1. */
RS_API rs_status rs_dataset_create(int64_t rows, int32_t inputs, int32_t outputs, rs_dataset** dataset);
RS_API float* rs_dataset_x(rs_dataset* dataset); /* [rows, inputs], to be filled by the caller */
RS_API float* rs_dataset_y(rs_dataset* dataset); /* [rows, outputs] */

/* A weight for each row, [rows], all 1, to be filled by the caller with finite values of at least 0; the same ones
 * when called again. */
RS_API rs_status rs_dataset_weights(rs_dataset* dataset, float** weights);
RS_API void rs_dataset_destroy(rs_dataset* dataset); /* null is allowed */

/* ---- trainers: a network, its optimizer and their state ---- */

/* All parameters are zero: call rs_trainer_init or rs_trainer_set_parameters. */
RS_API rs_status rs_trainer_create(const rs_trainer_options* options, rs_trainer** trainer);
RS_API void rs_trainer_destroy(rs_trainer* trainer); /* null is allowed */

RS_API int64_t rs_trainer_parameter_count(const rs_trainer* trainer);

/* Weights and biases uniform in +-1/sqrt(fan_in), as torch.nn.Linear, from Philox4x32-10 keyed by
 * `seed`: the same values on every machine. Forgets the optimizer's state. */
RS_API rs_status rs_trainer_init(rs_trainer* trainer, uint64_t seed);

/* `count` must be rs_trainer_parameter_count. Setting forgets the optimizer's state. */
RS_API rs_status rs_trainer_get_parameters(const rs_trainer* trainer, float* parameters, int64_t count);
RS_API rs_status rs_trainer_set_parameters(rs_trainer* trainer, const float* parameters, int64_t count);

/* From the next step on; the optimizer's state is kept. */
RS_API rs_status rs_trainer_set_learning_rate(rs_trainer* trainer, double lr);

/* One step on x [rows, inputs] and y [rows, outputs]; rows >= 1. A non-finite loss gives
 * RS_NON_FINITE and changes nothing. */
RS_API rs_status rs_trainer_step(rs_trainer* trainer, const float* x, const float* y, int64_t rows);

/* The mean loss of the last step, before its update; NaN before the first one. */
RS_API double rs_trainer_loss(const rs_trainer* trainer);

/* The gradient of the mean loss, in the layout of the parameters, and the mean loss; no update. */
RS_API rs_status rs_trainer_gradient(rs_trainer* trainer, const float* x, const float* y, int64_t rows,
                                     float* gradient, int64_t count, double* loss);

/* Trains from the position in `fit` on; see rs_fit. RS_NON_FINITE stops before the step whose loss
 * was not finite: `fit->steps` steps are applied. */
RS_API rs_status rs_trainer_fit(rs_trainer* trainer, const rs_dataset* dataset, rs_fit* fit);

/* Mean loss over all rows; no update. `target_scale` as in rs_fit. */
RS_API rs_status rs_trainer_evaluate(rs_trainer* trainer, const rs_dataset* dataset,
                                     const float* target_scale, double* loss);

/* y [rows, outputs] = the network's answer to x [rows, inputs]; rows >= 0. */
RS_API rs_status rs_trainer_predict(rs_trainer* trainer, const float* x, int64_t rows, float* y);

/* As rs_trainer_predict, then the probabilities that the outputs stand for: with RS_BCE each output's 1 / (1 + exp(-z)),
 * with RS_CROSS_ENTROPY exp(z_c) / sum over k of exp(z_k). With other losses, the answer itself. */
RS_API rs_status rs_trainer_probabilities(rs_trainer* trainer, const float* x, int64_t rows, float* y);

/* The average that a fit keeps (rs_average), for a checkpoint: [parameters], and how many parameters it is of, 0 where
 * there is none and `average` is left alone. `count` must be rs_trainer_parameter_count. */
RS_API rs_status rs_trainer_get_average(const rs_trainer* trainer, float* average, int64_t count, int64_t* averaged);
RS_API rs_status rs_trainer_set_average(rs_trainer* trainer, const float* average, int64_t count, int64_t averaged);

/* Exchanges the parameters and their average; refused where there is none. Everything else is kept, the optimizer's
 * state too. */
RS_API rs_status rs_trainer_swap_average(rs_trainer* trainer);

/* The order in which a shuffled epoch visits the rows: order[i] for i in [0, rows). */
RS_API rs_status rs_shuffle_order(uint64_t seed, int64_t epoch, int64_t rows, int64_t* order);

/* ---- ensembles: many models of one shape, trained side by side ----
 *
 * Model k has the same bits as a trainer with its settings that does the same: any number of models,
 * threads and instruction sets changes the time alone. A model whose loss is not finite stops before
 * that step and stays as it is, while the others go on; rs_ensemble_failures says which and when. */

typedef struct rs_ensemble rs_ensemble;

/* Zero it, then fill in what is not 0. */
typedef struct rs_ensemble_options {
  rs_trainer_options model;   /* what every model is made of; `threads` bounds those of the ensemble */
  int32_t models;             /* from 1 to 1000000 */
  const double* lr;           /* [models], or null: each that of `model` */
  const double* momentum;     /* [models], or null */
  const double* weight_decay; /* [models], or null */
} rs_ensemble_options;

typedef enum rs_exchange {
  RS_EXCHANGE_NEVER = 0,
  /* Local SGD: whenever every model has done exchange_every more steps, or all its steps, and at the end, every
   * model takes the mean of all parameters. Models that stopped, and the optimizers' states, have no part in it. */
  RS_EXCHANGE_AVERAGE = 1,
  /* Data-parallel training: all models start from model 0, with its optimizer's state, and share out every
   * step's rows; the blocks' gradients are added exactly. So all models stay equal, and equal to one trainer. */
  RS_EXCHANGE_GRADIENT = 2
} rs_exchange;

/* How an ensemble is fitted. Zero it, fill in the first block, and call rs_ensemble_fit with it until
 * `done` is 1. */
typedef struct rs_ensemble_run {
  const int64_t* first_rows;      /* [models], or null: each model trains on rows of its own, from this one on ... */
  const int64_t* row_counts;      /* [models]: ... so many, at least 1; null where first_rows is */
  int32_t exchange;               /* rs_exchange */
  int64_t exchange_every;         /* steps between two averages, at least 1 */
  const double* exchange_weights; /* [models], what each counts in the mean, at least 0; null: all the same */
  double seconds;                 /* return after about so long; 0 means no limit */

  int64_t exchanges; /* done so far: zero at the start */
  int64_t steps;     /* of all models together, in all calls: zero at the start */
  int32_t done;      /* 1 once every model is done or has stopped */
} rs_ensemble_run;

/* All parameters are zero: call rs_ensemble_init or rs_ensemble_set_parameters. */
RS_API rs_status rs_ensemble_create(const rs_ensemble_options* options, rs_ensemble** ensemble);
RS_API void rs_ensemble_destroy(rs_ensemble* ensemble); /* null is allowed */

RS_API int32_t rs_ensemble_models(const rs_ensemble* ensemble);
RS_API int64_t rs_ensemble_parameter_count(const rs_ensemble* ensemble); /* of one model */

/* seeds [models]. As rs_trainer_init, for each; stopped models start anew. */
RS_API rs_status rs_ensemble_init(rs_ensemble* ensemble, const uint64_t* seeds);

/* Of model `model`. Setting forgets its optimizer's state; a stopped model starts anew. */
RS_API rs_status rs_ensemble_get_parameters(rs_ensemble* ensemble, int32_t model, float* parameters, int64_t count);
RS_API rs_status rs_ensemble_set_parameters(rs_ensemble* ensemble, int32_t model, const float* parameters, int64_t count);

/* lr [models], from the next step on. */
RS_API rs_status rs_ensemble_set_learning_rates(rs_ensemble* ensemble, const double* lr);

/* One step of every model on the same rows. */
RS_API rs_status rs_ensemble_step(rs_ensemble* ensemble, const float* x, const float* y, int64_t rows);

/* losses [models]: of each model's last step, before its update; NaN before the first one. */
RS_API rs_status rs_ensemble_losses(rs_ensemble* ensemble, double* losses);

/* steps [models]: 0 for a model that trains; for one that stopped, the 1-based number of the step whose
 * loss was not finite, of all since its parameters were set. */
RS_API rs_status rs_ensemble_failures(rs_ensemble* ensemble, int64_t* steps);

/* fits [models]: what each model does and how far it has come, as for rs_trainer_fit, but that `losses`
 * has room for all epochs, entry e for epoch e, and that `seconds`, `losses_capacity` and `step_limit` are
 * ignored. Models are not kept in step except by exchanges. */
RS_API rs_status rs_ensemble_fit(rs_ensemble* ensemble, const rs_dataset* dataset, rs_fit* fits, rs_ensemble_run* run);

/* losses [models]: the mean loss of each over its rows, all of them where first_rows is null; no update.
 * target_scales [models, outputs], or null. */
RS_API rs_status rs_ensemble_evaluate(rs_ensemble* ensemble, const rs_dataset* dataset, const int64_t* first_rows,
                                      const int64_t* row_counts, const float* target_scales, double* losses);

/* y [models, rows, outputs] = every model's answer to x [rows, inputs]; rows >= 0. */
RS_API rs_status rs_ensemble_predict(rs_ensemble* ensemble, const float* x, int64_t rows, float* y);

#ifdef __cplusplus
}
#endif
#endif /* RINGSTEP_H */
