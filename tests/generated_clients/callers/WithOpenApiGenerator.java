import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.AccountApi;
import org.openapitools.client.api.AnalysesApi;
import org.openapitools.client.api.BatchesApi;
import org.openapitools.client.api.ModelsApi;
import org.openapitools.client.api.TokensApi;
import org.openapitools.client.model.AccessToken;
import org.openapitools.client.model.Account;
import org.openapitools.client.model.Analysis;
import org.openapitools.client.model.AnalysisBatch;
import org.openapitools.client.model.Classification;
import org.openapitools.client.model.Detection;
import org.openapitools.client.model.Problem;
import org.openapitools.client.model.ServedModel;
import org.openapitools.client.model.SignUp;

/** What openapi-generator generated for Java (native), put to use: prints the report that test_generated_clients.py expects. */
public final class WithOpenApiGenerator {
  public static void main(String[] arguments) throws Exception {
    String email = arguments[1];
    String password = arguments[2];
    File image = new File(arguments[3]);
    File broken = new File(arguments[4]);
    ApiClient client = new ApiClient();
    client.updateBaseUri(arguments[0]);
    SignUp form = new SignUp().email(email).password(password);
    Account account = new AccountApi(client).signUp(AccountApi.APISignUpRequest.newBuilder().signUp(form).build());
    AccessToken token =
        new TokensApi(client)
            .createToken(TokensApi.APICreateTokenRequest.newBuilder().username(email).password(password).build());
    client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token.getAccessToken()));
    AnalysesApi analyses = new AnalysesApi(client);
    Classification answer =
        analyses.classify(
            AnalysesApi.APIClassifyRequest.newBuilder()
                .image(image)
                .vote("majority_vote")
                .classifiers(List.of("classify_tiny"))
                .explain(true)
                .xHeparTimeoutMs(30_000)
                .build());
    AnalysisBatch analysed =
        new BatchesApi(client)
            .analysisBatch(BatchesApi.APIAnalysisBatchRequest.newBuilder().image(List.of(image, broken)).build());
    List<Object> batch = new ArrayList<>();
    for (Analysis item : analysed.getItems()) {
      Object part = item.getDetection().getActualInstance();
      batch.add(part instanceof Problem ? ((Problem) part).getType() : ((Detection) part).getBoxes().size());
    }
    List<Object> problem = new ArrayList<>();
    try {
      analyses.classify(AnalysesApi.APIClassifyRequest.newBuilder().image(broken).build());
    } catch (ApiException error) {
      Problem document = new ObjectMapper().readValue(error.getResponseBody(), Problem.class);
      problem = List.of(document.getStatus(), document.getType());
    }
    List<String> models = new ArrayList<>();
    for (ServedModel model : new ModelsApi(client).models(ModelsApi.APIModelsRequest.newBuilder().build()).getModels()) {
      models.add(model.getCard().getName());
    }
    Map<String, Object> report = new LinkedHashMap<>();
    report.put("account", account.getEmail());
    report.put("label", answer.getLabel());
    report.put("method", answer.getMethod().getValue());
    report.put("probabilities", answer.getProbabilities());
    report.put("overlay_png", answer.getExplanation().getOverlayPng());
    report.put("batch", batch);
    report.put("problem", problem);
    report.put("models", models);
    System.out.println(new ObjectMapper().writeValueAsString(report));
  }
}
