"""Registration of the bundled strategies, evaluators, tasks, executors and trackers: one line each."""

from __future__ import annotations

from automl import Register, hookimpl


@hookimpl
def register_strategies(register: Register) -> None:
    """Register the bundled strategies."""
    home = "automl_plugins.strategies"
    register("random_search", f"{home}.random_search:RandomSearch", summary="Uniform sampling, the control.")
    register("local_search", f"{home}.local_search:LocalSearch", summary="Climb by changes of one decision, restart.")
    register(
        "regularized_evolution",
        f"{home}.regularized_evolution:RegularizedEvolution",
        summary="Aging evolution by tournament and mutation (Real et al. 2019).",
    )
    register(
        "sep_crossover",
        f"{home}.sep_crossover:SepCrossover",
        summary="Evolution with shortest-edit-path crossover (Qiu and Miikkulainen 2023).",
    )
    register(
        "rl_controller",
        f"{home}.rl_controller:RlController",
        summary="Policies that learn by REINFORCE or PPO (Zoph and Le 2017, ENAS).",
    )
    register("bananas", f"{home}.bananas:Bananas", summary="Ensemble of perceptrons on paths (White et al. 2021).")
    register("neural_ucb", f"{home}.neural_ucb:NeuralUcb", summary="Neural bandit (Zhou et al. 2020).")
    register("gp", f"{home}.gp:Gp", summary="Gaussian process on decisions or graphs (Ru et al. 2021).")
    register("tpe", f"{home}.tpe:Tpe", summary="Tree-structured Parzen estimator (Optuna).")
    register("optuna_gp", f"{home}.optuna_gp:OptunaGp", summary="Gaussian process and expected improvement (Optuna).")
    register("cmaes", f"{home}.cmaes:CmaEs", summary="Covariance matrix adaptation on a relaxed space (Optuna).")
    register("nsga2", f"{home}.nsga2:Nsga2", summary="Genetic algorithm for several objectives (Optuna).")
    register("nsga3", f"{home}.nsga3:Nsga3", summary="Genetic algorithm for many objectives (Optuna).")
    register("qmc", f"{home}.qmc:QuasiMonteCarlo", summary="Low-discrepancy sequence (Optuna).")
    register("listed", f"{home}.listed:Listed", summary="Given architectures, in order.")


@hookimpl
def register_evaluators(register: Register) -> None:
    """Register the bundled evaluators."""
    home = "automl_plugins.evaluators"
    register("cost", f"{home}.cost:Cost", summary="Parameters and multiply-accumulates, exact, nothing allocated.")
    register("latency", f"{home}.latency:Latency", summary="Measured latency and peak memory, on the study's device.")
    register("edit_distance", f"{home}.edit_distance:EditDistance", summary="Exact edit distance to a known target.")
    register("train", f"{home}.train:Train", summary="Train the network and measure it on the validation split.")
    register(
        "nas_bench_201",
        f"{home}.nas_bench_201:NasBench201Table",
        summary="Look a cell up in the table of NAS-Bench-201.",
    )
    register(
        "nas_bench_101",
        f"{home}.nas_bench_101:NasBench101Table",
        summary="Look a cell up in the table of NAS-Bench-101.",
    )
    register("ntk", f"{home}.ntk:Ntk", summary="Exact neural tangent kernel: condition, spectrum, size, change.")
    register("lga", f"{home}.lga:Lga", summary="Alignment of the tangent kernel with the labels (Mok et al. 2022).")
    register("select", f"{home}.select:Select", summary="Let the network choose among its candidates as it trains.")
    register("screening", f"{home}.screening:Screening", summary="Reject what cannot learn or repeats, without data.")
    register(
        "quick_train", f"{home}.quick_train:QuickTrain", summary="Train for 100 steps and see (EvoNorm's quality)."
    )
    register("stability", f"{home}.stability:Stability", summary="Largest gradient an ascent over the weights meets.")
    register("zero_cost", f"{home}.zero_cost:ZeroCost", summary="Score the network untrained, by any of the proxies.")
    register("surrogate", f"{home}.surrogate:Surrogate", summary="A model of a benchmark table, for the whole space.")


@hookimpl
def register_proxies(register: Register) -> None:
    """Register the bundled proxies."""
    home = "automl_plugins.proxies"
    register("params", f"{home}.params:Params", summary="Trainable parameters that the outputs depend on.")
    register("flops", f"{home}.flops:Flops", summary="Multiply-accumulates of one example.")
    register("l2_norm", f"{home}.l2_norm:L2Norm", summary="Sum of the layers' weight norms.")
    register("grad_norm", f"{home}.grad_norm:GradNorm", summary="Sum of the layers' gradient norms.")
    register("snip", f"{home}.snip:Snip", summary="Sum of |weight x gradient| (Lee et al. 2019).")
    register("plain", f"{home}.plain:Plain", summary="Sum of weight x gradient, signed.")
    register("grasp", f"{home}.grasp:Grasp", summary="Weights times Hessian times gradient (Wang et al. 2020).")
    register("fisher", f"{home}.fisher:Fisher", summary="Fisher information of the channels (Turner et al. 2020).")
    register("synflow", f"{home}.synflow:Synflow", summary="Logarithm of the synaptic flow (Tanaka et al. 2020).")
    register("synflow_bn", f"{home}.synflow_bn:SynflowBn", summary="Synaptic flow with normalisation in place.")
    register("jacob_cov", f"{home}.jacob_cov:JacobCov", summary="How little input Jacobians correlate.")
    register("naswot", f"{home}.naswot:Naswot", summary="Log-determinant of the kernel of activation patterns.")
    register("linear_regions", f"{home}.linear_regions:LinearRegions", summary="Distinct activation patterns.")
    register("epe_nas", f"{home}.epe_nas:EpeNas", summary="Correlation of input Jacobians within classes.")
    register("meco", f"{home}.meco:Meco", summary="Least eigenvalues of the correlations of feature maps.")
    register("swap", f"{home}.swap:Swap", summary="Distinct patterns of units over the batch.")
    register("zen", f"{home}.zen:Zen", summary="Change of the features under noise, normalisation undone.")
    register("zico", f"{home}.zico:Zico", summary="Gradient size over gradient deviation, by layer.")
    register("grad_sign", f"{home}.grad_sign:GradSign", summary="Agreement of the examples on gradient signs.")
    register("knas", f"{home}.knas:Knas", summary="Mean of the Gram matrix of the examples' gradients.")
    register("te_nas", f"{home}.te_nas:TeNas", summary="Condition of the tangent kernel, and linear regions.")
    register("az_nas", f"{home}.az_nas:AzNas", summary="Expressivity, progressivity, trainability, complexity.")


@hookimpl
def register_aggregators(register: Register) -> None:
    """Register the bundled aggregators."""
    home = "automl_plugins.aggregators"
    register("rank_sum", f"{home}.rank_sum:RankSum", summary="Sum of ranks (TE-NAS).")
    register("log_rank", f"{home}.log_rank:LogRank", summary="Sum of the logarithms of ranks.")
    register("az_nas", f"{home}.az_nas:AzNas", summary="Sum of the logarithms of the ranks in the metrics of AZ-NAS.")


@hookimpl
def register_tasks(register: Register) -> None:
    """Register the bundled tasks."""
    home = "automl_plugins.tasks"
    register("none", f"{home}.none:NoTask", summary="No data, for evaluators that look at none (benchmark tables).")
    register("digits", f"{home}.digits:Digits", summary="1,797 real handwritten digits of 8x8 pixels (scikit-learn).")
    register("arrays", f"{home}.arrays:Arrays", summary="Your own arrays from an .npz file.")
    register("image_folder", f"{home}.image_folder:ImageFolder", summary="Your own images, one folder per class.")
    register("csv", f"{home}.csv:Csv", summary="Your own table: numbers, categories, missing values.")
    register("speech", f"{home}.speech:Speech", summary="Your own spoken words: WAV files by word, as spectrograms.")
    register("hf", f"{home}.hf:Hf", summary="A Hugging Face data set, as hf:NAME: images or tables (extra `hf`).")
    register("functions", f"{home}.functions:Functions", summary="Formulas to fit, as for Kolmogorov-Arnold networks.")


@hookimpl
def register_executors(register: Register) -> None:
    """Register the bundled executors."""
    home = "automl_plugins.executors"
    register("in_process", f"{home}.in_process:InProcess", summary="One evaluation at a time, in this process.")
    register("process_pool", f"{home}.process_pool:ProcessPool", summary="Worker processes that may crash alone.")


@hookimpl
def register_trackers(register: Register) -> None:
    """Register the bundled trackers."""
    home = "automl_plugins.trackers"
    register("mlflow", f"{home}.mlflow:Mlflow", summary="Mirror of the study in MLflow.")
    register("progress", f"{home}.progress:ProgressDisplay", summary="Live progress in the terminal.")


@hookimpl
def register_analyses(register: Register) -> None:
    """Register the bundled analyses."""
    home = "automl_plugins.analyses"
    register(
        "expected_improvement",
        f"{home}.expected_improvement:ExpectedImprovement",
        summary="Theory of crossover, mutation and policy gradient (Qiu and Miikkulainen 2023).",
    )
    register("landscape", f"{home}.landscape:Landscape", summary="Maxima, ascents and random search of a whole table.")


@hookimpl
def register_data(register: Register) -> None:
    """Register the bundled data sources."""
    home = "automl_plugins.data"
    register("nas_bench_201", f"{home}.nas_bench_201:NasBench201Data", summary="All 15,625 cells of NAS-Bench-201.")
    register(
        "nas_bench_101", f"{home}.nas_bench_101:NasBench101Data", summary="Cells of NAS-Bench-101, or all of them."
    )
    register("nas_bench_graph", f"{home}.nas_bench_graph:NasBenchGraphData", summary="26,206 graph neural networks.")
    register("cifar10", f"{home}.cifar10:Cifar10Data", summary="6,000 images of CIFAR-10, for the task arrays.")
    register("darts_1k", f"{home}.darts_1k:Darts1kData", summary="1,000 random DARTS cells on CIFAR-10.")
    register(
        "nas_bench_nlp", f"{home}.nas_bench_nlp:NasBenchNlpData", summary="345 runs of recurrent cells, WikiText-2."
    )


@hookimpl
def register_exporters(register: Register) -> None:
    """Register the bundled exporters."""
    home = "automl_plugins.exporters"
    register("pt2", f"{home}.pt2:Pt2", summary="A program of torch.export: operations and weights in one file.")
    register("onnx", f"{home}.onnx:Onnx", summary="ONNX, for ONNX Runtime and others; needs automl-engine[onnx].")
    register("safetensors", f"{home}.safetensors:Safetensors", summary="The weights, and JSON to build the network.")
    register("python", f"{home}.python:Python", summary="Readable source that needs torch alone, and its weights.")
