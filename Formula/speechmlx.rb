# Tap this repository (`brew tap speechmlx/speechmlx <its git URL>`), then `brew install speechmlx`.
class Speechmlx < Formula
  desc "Speech server: recognition, synthesis, answers and enhancement on MLX"
  # The tap is the repository: what was tapped is what is built.
  url "file://#{Pathname(__dir__).parent}", using: :git, branch: "main"
  version "0.1.0"
  license "Apache-2.0"

  depends_on arch: :arm64
  depends_on :macos
  depends_on "python@3.12"
  depends_on "uv"

  # Wheels hold libraries whose headers have no room for the paths that Homebrew would write into them.
  preserve_rpath

  def install
    libexec.install "pyproject.toml", "README.md", "LICENSE", "speechmlx", "scripts"
    python = libexec/"venv/bin/python"
    uv = Formula["uv"].opt_bin/"uv"
    system uv, "venv", "--no-python-downloads", "--python", Formula["python@3.12"].opt_bin/"python3.12", libexec/"venv"
    # The lock is complete and hashed: nothing is resolved, and torch, which mlx-whisper asks for and never uses,
    # stays out. The package itself is found where it lies, so nothing has to be built.
    system uv, "pip", "install", "--python", python, "--no-deps", "--require-hashes",
           "--requirement", libexec/"scripts/requirements.lock"
    (libexec/"venv/lib/python3.12/site-packages/speechmlx.pth").write "#{libexec}\n"
    (bin/"audio-server").write <<~PYTHON
      #!#{python} -P
      from speechmlx.cli import main

      main()
    PYTHON
  end

  service do
    run [opt_bin/"audio-server", "--port", "8080"]
    keep_alive true
    process_type :interactive
    working_dir var
    log_path var/"log/speechmlx.log"
    error_log_path var/"log/speechmlx.log"
  end

  def caveats
    <<~EOS
      Models are fetched at first use into ~/Library/Caches/speechmlx.
      To fetch the default ones now: audio-server pull standard
    EOS
  end

  test do
    assert_match "--preload", shell_output("#{bin}/audio-server --help")
    port = free_port
    pid = spawn bin/"audio-server", "--port", port.to_s
    begin
      health = shell_output("curl -s --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:#{port}/health")
      assert_match '"status":"ok"', health.delete(" \n")
    ensure
      Process.kill "TERM", pid
      Process.wait pid
    end
  end
end
